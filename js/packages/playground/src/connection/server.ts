/** The few things this page asks the server for, beside the comms. Spec: Jupyter Server REST API. */

export interface KernelModel {
  readonly id: string;
  readonly name: string;
}

export class Server {
  readonly #base: string;
  readonly #token: string;

  constructor(base: string, token: string) {
    this.#base = base;
    this.#token = token;
  }

  /** List the running kernels. */
  async kernels(): Promise<KernelModel[]> {
    const listed: unknown = await (await this.#ask("GET", "api/kernels")).json();
    return Array.isArray(listed) ? listed.filter(isKernelModel) : [];
  }

  /** Start a kernel of the server's default kind. */
  async start(): Promise<KernelModel> {
    const started: unknown = await (await this.#ask("POST", "api/kernels", "{}")).json();
    if (isKernelModel(started)) return started;
    throw new Error("POST api/kernels: expected a kernel with id and name in the answer");
  }

  async restart(kernel_id: string): Promise<void> {
    await this.#ask("POST", `api/kernels/${encodeURIComponent(kernel_id)}/restart`);
  }

  async interrupt(kernel_id: string): Promise<void> {
    await this.#ask("POST", `api/kernels/${encodeURIComponent(kernel_id)}/interrupt`);
  }

  async #ask(method: string, path: string, body?: string): Promise<Response> {
    const headers = new Headers();
    if (this.#token !== "") headers.set("Authorization", `token ${this.#token}`);
    if (body !== undefined) headers.set("Content-Type", "application/json");
    const init = { method, headers, ...(body === undefined ? {} : { body }) };
    const response = await fetch(this.#base + path, init);
    if (response.ok) return response;
    const hint = response.status === 403 || response.status === 401 ? " (is the token right?)" : "";
    throw new Error(`${method} ${path}: the server answered ${response.status}${hint}`);
  }
}

function isKernelModel(value: unknown): value is KernelModel {
  if (typeof value !== "object" || value === null) return false;
  const { id, name } = value as Record<string, unknown>;
  return typeof id === "string" && typeof name === "string";
}
