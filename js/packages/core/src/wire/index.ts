/** `tsushin/wire`: the codecs by themselves, for kernels and tools written in JavaScript. */
export * as ws_default from "./ws_default.js";
export * as ws_v1 from "./ws_v1.js";
export * as zmq from "./zmq.js";
export { Signer } from "./signing.js";
