/** A cell: an editor, its run button, its output. What running means is given to it. */
import type { EditorState } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { find } from "../dom.js";
import type { CellName, Flow } from "../flows.js";
import { OutputArea } from "../output/area.js";
import type { RunDisplayed } from "../output/mime.js";
import { editorState, markFaultLine, replaceText } from "./editor.js";

/** Runs a cell's code and shows its output; resolves to the run's number, or null if it failed. */
export type RunCode = (code: string, cell: Cell) => Promise<number | null>;

export class Cell {
  readonly name: CellName;
  readonly output: OutputArea;
  readonly #run: RunCode;
  readonly #view: EditorView;
  readonly #frame: HTMLElement;
  readonly #button: HTMLButtonElement;
  readonly #count: HTMLElement;
  readonly #drafts = new Map<Flow, EditorState>();
  #flow: Flow;

  constructor(name: CellName, flow: Flow, run: RunCode, displayed: RunDisplayed) {
    this.name = name;
    this.#run = run;
    this.#flow = flow;
    const host = find(`${name}-cell`, HTMLElement);
    this.#view = new EditorView({ parent: host, state: this.#draft(flow) });
    this.#frame = host.closest("article") ?? host;
    this.output = new OutputArea(find(`${name}-output`, HTMLElement), displayed);
    this.#button = find(`run-${name}`, HTMLButtonElement);
    this.#count = find(`${name}-count`, HTMLElement);
    this.#button.addEventListener("click", () => void this.run());
    find(`reset-${name}`, HTMLButtonElement).addEventListener("click", () => this.reset());
  }

  get isRunning(): boolean {
    return this.#frame.dataset.running === "true";
  }

  /** Run the code; resolves to whether it went well. A run while another is under way is refused. */
  async run(): Promise<boolean> {
    if (this.isRunning) return false;
    this.#setRunning(true);
    this.output.clear();
    markFaultLine(this.#view, null);
    try {
      const count = await this.#run(this.#view.state.doc.toString(), this);
      if (count !== null) this.#count.textContent = `[${count}]`;
      return count !== null;
    } finally {
      this.#setRunning(false);
    }
  }

  /** Show an example's code; what was typed into the one before is kept with it. */
  load(flow: Flow): void {
    this.#drafts.set(this.#flow, this.#view.state);
    this.#flow = flow;
    this.#view.setState(this.#draft(flow));
    this.output.clear();
  }

  /** Bring back the example's own code. */
  reset(): void {
    replaceText(this.#view, this.#flow[this.name]);
    this.#view.focus();
  }

  /** Mark the line an error is in, 1-based. */
  markFault(line: number): void {
    markFaultLine(this.#view, line);
  }

  #draft(flow: Flow): EditorState {
    return this.#drafts.get(flow) ?? editorState(this.name, flow[this.name], () => void this.run());
  }

  #setRunning(isRunning: boolean): void {
    this.#frame.dataset.running = String(isRunning);
    this.#frame.setAttribute("aria-busy", String(isRunning));
    this.#button.disabled = isRunning;
  }
}
