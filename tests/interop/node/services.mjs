// JupyterLab's own client against an endpoint: `node services.mjs <url> <token> <scenario>`.
// Prints what it saw as one JSON object a line; the Python test reads and judges.
import services from "@jupyterlab/services";
import { kernelManager } from "./kernel_manager.mjs";

const { CommsOverSubshells } = services;
// The client logs to the console; what is said here must stay alone.
globalThis.console = new console.Console(process.stderr);

const [url, token, scenario] = process.argv.slice(2);
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

const bytesOf = (buffer) =>
  ArrayBuffer.isView(buffer)
    ? new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength)
    : new Uint8Array(buffer);
const pattern = (size) => new Uint8Array(size).map((_, i) => (i * 7) & 255);
const isSame = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i]);

/** The page opens to the kernel's target, gets its message back, and closes. */
async function pageOpens(kernel) {
  const buffers = [0, 65536, 5 << 20].map(pattern);
  const comm = kernel.createComm("kernel-echo");
  const answered = new Promise((resolve) => (comm.onMsg = resolve));
  await comm.open({ x: 1 }, { opened: true }).done;
  await comm.send({ n: 1 }, { m: 2 }, buffers).done;
  const { content, metadata, buffers: back } = await answered;
  const same = back.map((buffer, i) => isSame(bytesOf(buffer), buffers[i]));
  say({ data: content.data, metadata, sizes: back.map((b) => b.byteLength), same });
  await comm.close({ bye: 1 }).done;
}

/** The kernel opens to the page's target; the page answers each message and tells of the close. */
async function kernelOpens(kernel) {
  const closed = new Promise((resolve) => {
    kernel.registerCommTarget("page-echo", (comm, open) => {
      say({ opened: open.content.data });
      // Not awaited: the client processes no message while onMsg is pending, so it would wait for ever.
      comm.onMsg = (msg) => {
        const buffers = msg.buffers.map(bytesOf).map((bytes) => bytes.slice());
        comm.send({ ...msg.content.data, seen: true }, msg.metadata, buffers);
      };
      comm.onClose = (msg) => resolve(msg.content.data);
    });
  });
  say("registered");
  say({ closed: await closed });
}

/** Each end closes what the other has opened; the page is told once of the one that the process closes. */
async function crossing(kernel) {
  const closes = [];
  const ours = kernel.createComm("closed-by-process");
  const closed = new Promise((resolve) => {
    ours.onClose = (msg) => resolve(closes.push(msg.content.data));
  });
  const opened = new Promise((resolve) => kernel.registerCommTarget("page-closes", resolve));
  await ours.open().done;
  const theirs = await opened;
  await theirs.close({ bye: "page" }).done;
  await closed;
  await kernel.requestCommInfo({}); // whatever else there was has arrived
  say({ closes, isDisposed: [ours.isDisposed, theirs.isDisposed] });
}

/** What else the client asks of every kernel. */
async function questions(kernel, manager) {
  const info = await kernel.info;
  const comms = await kernel.requestCommInfo({});
  const code = await kernel.requestExecute({ code: "1" }).done;
  const complete = await kernel.requestComplete({ code: "a", cursor_pos: 1 });
  const another = await manager.startNew();
  say({
    implementation: info.implementation,
    comms: comms.content.comms,
    execute: code.content.ename,
    matches: complete.content.matches,
    status: kernel.status,
    same_kernel: another.id === kernel.id,
  });
  another.dispose();
}

const manager = await kernelManager(url, token);
const models = [...manager.running()];
const kernel = manager.connectTo({ model: models[0] });
kernel.commsOverSubshells = CommsOverSubshells.PerCommTarget; // JupyterLab's own setting
await kernel.info;
await { pageOpens, kernelOpens, crossing, questions }[scenario](kernel, manager);
kernel.dispose();
manager.dispose();
process.exit(0);
