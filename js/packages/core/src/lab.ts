/** What the extension for JupyterLab wires up: `tsushin/lab`, apart from the public face. */
export { make_amd } from "./classic/amd.js";
export type { Amd } from "./classic/amd.js";
export { run_script } from "./classic/script.js";
export { page_target_loader } from "./classic/target_module.js";
export { DocumentKernel } from "./document/document_kernel.js";
export type { DocumentKernelOptions } from "./document/document_kernel.js";
export type { KernelConnection, LabSignal } from "./transports/lab_types.js";
