/** What the extension for JupyterLab wires up: `tsushin/lab`, apart from the public face. */
export { run_script } from "./classic/script.js";
export { DocumentKernel } from "./document/document_kernel.js";
export type { DocumentKernelOptions } from "./document/document_kernel.js";
export type { KernelConnection, LabSignal } from "./transports/lab_types.js";
