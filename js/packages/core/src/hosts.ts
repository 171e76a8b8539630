/**
 * For packages that bring comms into a page by another way than `connect`: a frontend made over a
 * transport of the host. Not for applications.
 */
export { make_amd } from "./classic/amd.js";
export type { Amd } from "./classic/amd.js";
export { run_script } from "./classic/script.js";
export { page_target_loader } from "./classic/target_module.js";
export { DocumentKernel } from "./document/document_kernel.js";
export type { DocumentKernelOptions } from "./document/document_kernel.js";
export { Frontend } from "./frontend/frontend.js";
export type { FrontendOptions } from "./frontend/options.js";
export { AfmTransport } from "./transports/afm.js";
export type { AfmModel, AfmState } from "./transports/afm.js";
export type { Receiver, Transport } from "./transports/base.js";
export type { KernelConnection, LabSignal } from "./transports/lab_types.js";
