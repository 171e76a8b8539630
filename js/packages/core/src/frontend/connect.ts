/** From a server's URL to a connected frontend: find or start the kernel, open its channels, shake hands. */
import { DEFAULT_TIMEOUT } from "../expected.js";
import { newId } from "../ids.js";
import { SERVER_BYTES, openWebSocket } from "../transports/websocket.js";
import { Frontend } from "./frontend.js";
import type { KernelHost } from "./options.js";
import { Server } from "./rest.js";
import type { KernelModel } from "./rest.js";
import { pageTab } from "./tab.js";
import type { ConnectOptions } from "./types.js";

/**
 * Connect to a kernel of Jupyter Server, or of `tsushin.serve` and `tsushin demo`. `url` is the server's
 * base, such as "http://127.0.0.1:8888/".
 *
 * With `kernel_id` it attaches to that kernel; with `kernel_name` it starts one; with neither it attaches
 * to the server's oldest kernel, or starts the default one where there is none. A kernel that was started
 * ends with `close`. `?token=` in the URL is understood, as Jupyter prints it.
 *
 * A link that breaks later is made anew for up to 60 s where the kernel has an end that knows the profile.
 * Meanwhile comms stay open and keep what is sent, and `execute` rejects with `TransportLost`. Otherwise, and
 * when the time is up, comms are lost and `on_status` hears "disconnected".
 *
 * Rejects with `ConnectFailed`; with a `DOMException` where `timeout` (seconds) or `signal` ended it.
 */
export async function connect(url: string, options: ConnectOptions = {}): Promise<Frontend> {
  const signal = withTimeout(options.signal, options.timeout ?? DEFAULT_TIMEOUT);
  const { base, token } = splitToken(url, options.token);
  const server = new Server(base, { token, fetch: options.fetch });
  const { kernel, isStarted } = await findKernel(server, options, signal);
  try {
    return await attach(server, kernel.id, { ...options, token, isStarted, signal });
  } catch (error) {
    if (isStarted) await server.shutdown(kernel.id);
    throw error;
  }
}

interface AttachOptions extends Omit<ConnectOptions, "token"> {
  readonly token: string | undefined;
  readonly isStarted: boolean;
  readonly signal: AbortSignal;
}

async function attach(
  server: Server,
  kernel_id: string,
  options: AttachOptions,
): Promise<Frontend> {
  const { isStarted, token, session = newId(), signal } = options;
  // Only our own servers read the token from a subprotocol; it is kept out of the URL where it can be.
  const takesSubprotocolToken = "tsushin" in (await server.status(signal));
  const { subprotocol, limits, WebSocket } = options;
  const query = token !== undefined && !takesSubprotocolToken ? { token } : {};
  const url = server.channels(kernel_id, { session_id: session, ...query });
  const link = (until: AbortSignal) =>
    openWebSocket(url, {
      token: takesSubprotocolToken ? token : undefined,
      subprotocol,
      limits,
      WebSocket,
      timeout: Infinity, // `until` has it
      signal: until,
    });
  const transport = await link(signal);
  const on_unknown = options.on_unknown ?? (isStarted ? "close" : "ignore");
  const host: KernelHost = {
    isThere: async (until) => (await server.kernels(until)).some(({ id }) => id === kernel_id),
    reconnect: link,
    interrupt: () => server.interrupt(kernel_id),
    restart: () => server.restart(kernel_id),
    shutdown: isStarted ? () => server.shutdown(kernel_id) : undefined,
  };
  const { trace, on_error, on_status, load_target } = options;
  const hooks = { trace, on_error, on_status, load_target };
  const route = { tab: pageTab(), max_whole_bytes: SERVER_BYTES };
  const lane = {
    server: { url: server.base, token: takesSubprotocolToken ? undefined : token },
    kernel_id: () => kernel_id,
    WebSocket,
  };
  const ways = { ...route, lane: options.lane === false ? undefined : lane };
  const facts = { kernel_id, on_unknown, host, session, limits, ...ways, ...hooks };
  const frontend = new Frontend(transport, facts);
  try {
    await frontend.handshake({ timeout: Infinity, signal });
  } catch (error) {
    transport.close();
    throw error;
  }
  frontend.look().catch(() => undefined); // what ends the link is told elsewhere
  return frontend;
}

/** Take the token out of a URL as Jupyter prints it: `http://…/?token=…`. */
function splitToken(url: string, given?: string): { base: string; token: string | undefined } {
  const base = new URL(url);
  const token = given ?? base.searchParams.get("token") ?? undefined;
  base.search = base.hash = "";
  return { base: base.href, token };
}

async function findKernel(
  server: Server,
  { kernel_id, kernel_name }: ConnectOptions,
  signal: AbortSignal,
): Promise<{ kernel: KernelModel; isStarted: boolean }> {
  if (kernel_id !== undefined) {
    return { kernel: await server.kernel(kernel_id, signal), isStarted: false };
  }
  const [running] = kernel_name === undefined ? await server.kernels(signal) : [];
  if (running !== undefined) return { kernel: running, isStarted: false };
  return { kernel: await server.start(kernel_name ?? null, signal), isStarted: true };
}

/** One signal that ends when time is up or the caller's does. `AbortSignal.any` is too new for this. */
function withTimeout(signal: AbortSignal | undefined, timeout: number): AbortSignal {
  const controller = new AbortController();
  const about = `connecting: not within ${timeout} s`;
  const end = () => controller.abort(new DOMException(about, "TimeoutError"));
  const timer = setTimeout(end, timeout * 1e3);
  (timer as { unref?: () => void }).unref?.(); // Node: this timer alone keeps no process alive
  if (signal?.aborted) controller.abort(signal.reason);
  signal?.addEventListener("abort", () => controller.abort(signal.reason), { once: true });
  return controller.signal;
}
