/** The bar that chooses an example, shows the order of its steps, and runs them. */
import type { Cell } from "./cells/cell.js";
import { find, make } from "./dom.js";
import { FLOWS, flowById, type CellName, type Flow, type Step } from "./flows.js";

type StepStatus = "waiting" | "running" | "done" | "failed";

const PLACES: Record<CellName, string> = { python: "Python", javascript: "JavaScript" };
const DOCUMENTED = ["kernel-opens", "page-opens"] as const;

export class FlowBar {
  readonly #cells: Record<CellName, Cell>;
  readonly #menu = find("example-menu", HTMLSelectElement);
  readonly #steps = find("flow-steps", HTMLElement);
  readonly #runButton = find("run-flow", HTMLButtonElement);
  #flow: Flow;
  #isEnabled = false;
  #isRunning = false;

  constructor(cells: Record<CellName, Cell>, flow: Flow) {
    this.#cells = cells;
    this.#flow = flow;
    for (const id of DOCUMENTED)
      this.#tab(id).addEventListener("click", () => this.choose(flowById(id)));
    this.#fillMenu();
    this.#menu.addEventListener("change", () => this.choose(flowById(this.#menu.value)));
    this.#runButton.addEventListener("click", () => void this.run());
    this.#show();
  }

  /** Load an example into both cells. */
  choose(flow: Flow): void {
    if (flow !== this.#flow) for (const cell of Object.values(this.#cells)) cell.load(flow);
    this.#flow = flow;
    this.#show();
  }

  /** Run the example's cells in their order; stops at the first that fails. */
  async run(): Promise<void> {
    this.#isRunning = true;
    this.#showButton();
    this.#show();
    for (const [at, step] of this.#flow.steps.entries()) {
      this.#setStatus(at, "running");
      const went = await this.#cells[step.cell].run();
      this.#setStatus(at, went ? "done" : "failed");
      if (!went) break;
    }
    this.#isRunning = false;
    this.#showButton();
  }

  /** Allow running, or not: without a kernel there is nothing to run in. */
  enable(isEnabled: boolean): void {
    this.#isEnabled = isEnabled;
    this.#showButton();
  }

  #showButton(): void {
    this.#runButton.disabled = this.#isRunning || !this.#isEnabled;
  }

  #show(): void {
    for (const id of DOCUMENTED) {
      this.#tab(id).setAttribute("aria-pressed", String(id === this.#flow.id));
    }
    const isListed = !DOCUMENTED.some((id) => id === this.#flow.id);
    this.#menu.value = isListed ? this.#flow.id : "";
    this.#menu.dataset.chosen = String(isListed);
    this.#steps.replaceChildren(...this.#flow.steps.map(stepElement));
  }

  #fillMenu(): void {
    const more = FLOWS.filter((flow) => !DOCUMENTED.some((id) => id === flow.id));
    this.#menu.append(
      make("option", { value: "", disabled: "", hidden: "" }, "Examples"),
      ...more.map((flow) => make("option", { value: flow.id }, flow.title)),
    );
  }

  #setStatus(at: number, status: StepStatus): void {
    const step = this.#steps.children[at];
    if (step instanceof HTMLElement) step.dataset.status = status;
  }

  #tab(id: (typeof DOCUMENTED)[number]): HTMLButtonElement {
    return find(`flow-${id}`, HTMLButtonElement);
  }
}

function stepElement(step: Step, at: number): HTMLElement {
  const side = step.cell === "python" ? "kernel-step" : "page-step";
  const element = make(
    "li",
    { class: side },
    make("b", {}, String(at + 1)),
    `${PLACES[step.cell]} ${step.does}`,
  );
  element.dataset.status = "waiting" satisfies StepStatus;
  return element;
}
