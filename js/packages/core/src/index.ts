/** The public face of `tsushin`: everything here is in `spec/api.json`. */
export * from "./errors.js";
export * from "./sketch.js";
export type * from "./frontend/types.js";
export type * from "./classic/types.js";
export type * from "./protocol/messages.js";
export type { Limits } from "./protocol/limits.js";
