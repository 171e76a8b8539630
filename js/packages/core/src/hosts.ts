/**
 * For packages that bring comms into a page by another way than `connect`: a frontend made over a
 * transport of the host. Not for applications.
 */
export { Frontend } from "./frontend/frontend.js";
export type { FrontendOptions } from "./frontend/frontend.js";
export { AfmTransport } from "./transports/afm.js";
export type { AfmModel, AfmState } from "./transports/afm.js";
export type { Receiver, Transport } from "./transports/base.js";
