/** Shows the state of the connection, and offers what can be done about it. */
import { find, make } from "../dom.js";
import type { Connection, ConnectionState } from "./connection.js";
import type { KernelModel } from "./server.js";

export class ConnectionIndicator {
  readonly #state = find("connection-state", HTMLElement);
  readonly #text = find("connection-text", HTMLElement);
  readonly #menu = find("kernel-menu", HTMLSelectElement);
  readonly #again = find("reconnect", HTMLButtonElement);
  readonly #restart = find("restart-kernel", HTMLButtonElement);

  /** Make the buttons act on `connection`. Called once. */
  wire(connection: Connection): void {
    this.#again.addEventListener("click", () => void connection.recover());
    this.#restart.addEventListener("click", () => void connection.restartKernel());
    this.#menu.addEventListener("change", () => void connection.attach(this.#menu.value));
  }

  show(state: ConnectionState, kernels: readonly KernelModel[]): void {
    this.#state.dataset.state = state.state;
    this.#state.dataset.kernel = state.state === "connected" ? state.status : "";
    const text = stateText(state);
    if (this.#text.textContent !== text) this.#text.textContent = text;
    this.#state.title = text;
    this.#again.hidden = state.state !== "lost" && state.state !== "none";
    this.#again.textContent = remedy(state);
    this.#restart.hidden = !this.#again.hidden;
    this.#restart.disabled = state.state !== "connected";
    this.#showKernels(state, kernels);
  }

  /** With more than one kernel, let the user choose. */
  #showKernels(state: ConnectionState, kernels: readonly KernelModel[]): void {
    this.#menu.hidden = kernels.length < 2 || state.state !== "connected";
    if (this.#menu.hidden || state.state !== "connected") return;
    this.#menu.replaceChildren(
      ...kernels.map(({ id, name }) => make("option", { value: id }, `${name} ${id.slice(0, 8)}`)),
    );
    this.#menu.value = state.kernel.id;
  }
}

/** What the button beside a bad state does. */
function remedy(state: ConnectionState): string {
  if (state.state === "none") return "Start a kernel";
  return state.state === "lost" && state.died ? "Restart kernel" : "Reconnect";
}

function stateText(state: ConnectionState): string {
  switch (state.state) {
    case "connecting":
      return "Connecting";
    case "connected":
      return `Connected to ${state.kernel.name}`;
    case "none":
      return "No kernel is running";
    case "lost":
      return `Lost: ${state.reason}`;
  }
}
