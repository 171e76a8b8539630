/** What the page asks of a fresh Python kernel before anything else runs in it. */
import type { Frontend } from "tsushin";

/**
 * `ipykernel.comm.Comm`, the name the documentation uses, works and warns that it is old. The examples
 * use it on purpose, so its warning says nothing new each time; all others stay. Binds no name.
 */
const QUIET = `\
__import__('warnings').filterwarnings(
    'ignore', message='The .ipykernel.comm.Comm. class has been deprecated')
`;

/** Prepare the kernel; it takes its turn before the cells that are run afterwards. */
export function prepareKernel(frontend: Frontend, kernel_name: string): void {
  if (!kernel_name.startsWith("python")) return;
  frontend.execute(QUIET, { silent: true, store_history: false }).catch(() => {
    // The kernel went away or was restarted meanwhile: the next one is prepared anew.
  });
}
