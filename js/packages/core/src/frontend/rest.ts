/**
 * The REST calls a frontend needs of a kernel server: list, start, look, interrupt, restart, end.
 *
 * The token goes into the `Authorization` header; a page without one uses its login cookie and the
 * `_xsrf` token that belongs to it.
 *
 * Spec: Jupyter Server REST API.
 */
import { ConnectFailed, quote } from "../errors.js";
import type { JsonObject } from "../protocol/messages.js";
import { isJsonObject } from "../protocol/messages.js";

export interface KernelModel {
  readonly id: string;
  readonly name: string;
}

export interface ServerOptions {
  readonly token?: string | undefined;
  readonly fetch?: typeof fetch | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** One server by its base URL. Every call throws `ConnectFailed` where there is no good answer. */
export class Server {
  readonly #base: URL;
  readonly #token: string | undefined;
  readonly #fetch: typeof fetch;

  /** `url` is the server's base, with or without a slash at its end. */
  constructor(url: string, options: ServerOptions = {}) {
    this.#base = new URL(url.endsWith("/") ? url : `${url}/`);
    this.#token = options.token;
    // Called as a method of something else, the platform's fetch throws "Illegal invocation".
    this.#fetch = options.fetch ?? ((input, init) => fetch(input, init));
  }

  /** Its base URL, with a slash at its end and without a token. */
  get base(): string {
    return this.#base.href;
  }

  /** What the server says of itself; a tsushin server has a member `tsushin`, its version. */
  async status(signal?: AbortSignal): Promise<JsonObject> {
    const status = await this.#call("GET", "api/status", null, signal);
    return isJsonObject(status) ? status : {};
  }

  async kernels(signal?: AbortSignal): Promise<KernelModel[]> {
    // To look is no activity: it must not keep an idle server from shutting down.
    const answer = await this.#call("GET", "api/kernels?no_track_activity=1", null, signal);
    return Array.isArray(answer) ? answer.map(asKernel) : [];
  }

  async kernel(id: string, signal?: AbortSignal): Promise<KernelModel> {
    return asKernel(await this.#call("GET", kernelPath(id), null, signal));
  }

  /** Start a kernel; null means the server's default spec. */
  async start(name: string | null, signal?: AbortSignal): Promise<KernelModel> {
    return asKernel(await this.#call("POST", "api/kernels", name === null ? {} : { name }, signal));
  }

  async interrupt(id: string): Promise<void> {
    await this.#call("POST", `${kernelPath(id)}/interrupt`, {});
  }

  async restart(id: string): Promise<void> {
    await this.#call("POST", `${kernelPath(id)}/restart`, {});
  }

  /** End the kernel. One that is gone already is no error, nor one that its server keeps (405). */
  async shutdown(id: string): Promise<void> {
    await this.#call("DELETE", kernelPath(id), null, undefined, [404, 405]);
  }

  /** The WebSocket URL of a kernel's channels; `query` holds the token where the server wants it there. */
  channels(id: string, query: Readonly<Record<string, string>>): string {
    const url = new URL(`${kernelPath(id)}/channels`, this.#base);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    for (const [key, value] of Object.entries(query)) url.searchParams.set(key, value);
    return url.href;
  }

  async #call(
    method: string,
    path: string,
    body: JsonObject | null,
    signal?: AbortSignal,
    accepted: readonly number[] = [],
  ): Promise<unknown> {
    const what = `${method} ${path}`;
    let response: Response;
    try {
      response = await this.#fetch(new URL(path, this.#base), {
        method,
        headers: this.#headers(),
        ...(body === null ? {} : { body: JSON.stringify(body) }),
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new ConnectFailed(`${what}: no answer`, { cause: error });
    }
    const text = await response.text();
    if (accepted.includes(response.status)) return null;
    if (!response.ok) throw new ConnectFailed(`${what}: ${response.status} ${reasonOf(text)}`);
    return text === "" ? null : parse(what, text);
  }

  #headers(): Record<string, string> {
    const headers: Record<string, string> = { "Content-Type": "application/json" };
    if (this.#token) headers.Authorization = `token ${this.#token}`;
    const xsrf = this.#token ? null : xsrfCookie();
    if (xsrf !== null) headers["X-XSRFToken"] = xsrf;
    return headers;
  }
}

function kernelPath(id: string): string {
  return `api/kernels/${encodeURIComponent(id)}`;
}

function xsrfCookie(): string | null {
  const { document } = globalThis as { document?: { cookie: string } };
  return /(?:^|; )_xsrf=([^;]*)/.exec(document?.cookie ?? "")?.[1] ?? null;
}

function parse(what: string, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new ConnectFailed(`${what}: expected JSON, got ${quote(text)}`);
  }
}

/** Jupyter Server explains an error as JSON with `message`. */
function reasonOf(text: string): string {
  try {
    const answer: unknown = JSON.parse(text);
    return isJsonObject(answer) ? quote(answer.message) : "";
  } catch {
    return "";
  }
}

function asKernel(value: unknown): KernelModel {
  if (isJsonObject(value) && typeof value.id === "string") {
    return { id: value.id, name: typeof value.name === "string" ? value.name : "" };
  }
  throw new ConnectFailed(`expected a kernel, got ${quote(value)}`);
}
