/**
 * The output of one cell: what it printed, returned, displayed and raised, in order.
 *
 * Handlers of comms go on writing here after their cell has ended, so an area lives as long as its cell
 * and is cleared by the cell's next run.
 */
import type { LiveOutput, MimeBundle } from "tsushin";
import { make } from "../dom.js";
import { ansiNodes } from "./ansi_view.js";
import { mimeElement, type RunDisplayed } from "./mime.js";
import { TextBlock } from "./text_block.js";

/** Items kept; beyond it the oldest are removed. */
const MAX_ITEMS = 500;

export class OutputArea {
  readonly #element: HTMLElement;
  readonly #run: RunDisplayed;
  readonly #displays = new Map<string, Set<HTMLElement>>();
  #block: { kind: string; block: TextBlock } | null = null;
  #clearBeforeNext = false;

  constructor(element: HTMLElement, run: RunDisplayed) {
    this.#element = element;
    this.#run = run;
  }

  clear(): void {
    this.#clearBeforeNext = false;
    this.#block = null;
    this.#displays.clear();
    this.#element.replaceChildren();
  }

  /** Show one output of the kernel. */
  show(output: LiveOutput): void {
    switch (output.output_type) {
      case "stream":
        this.write(output.name, output.text);
        return;
      case "execute_result":
        this.#display(output.data, {}, output.execution_count);
        return;
      case "display_data":
        this.#display(output.data, output.transient, null);
        return;
      case "update_display_data":
        this.#update(output.data, output.transient);
        return;
      case "clear_output":
        if (output.wait) this.#clearBeforeNext = true;
        else this.clear();
        return;
      case "error":
        this.error(output.ename, output.evalue, output.traceback.join("\n"));
    }
  }

  /** Append text; text of one kind in a row is one block. */
  write(kind: "stdout" | "stderr" | "log" | "warn" | "console-error", text: string): void {
    this.#beforeNext();
    if (this.#block?.kind !== kind) {
      const block = new TextBlock(`output-${kind}`, () => this.#follow());
      this.#add(block.element);
      this.#block = { kind, block };
    }
    this.#block.block.append(text);
  }

  /** Show an exception; `detail` is its traceback (which may hold terminal colours) or its place. */
  error(name: string, message: string, detail: string): void {
    const title = make("span", { class: "error-title" }, name);
    const head = detail === "" ? [title, message === "" ? "" : `: ${message}`] : ansiNodes(detail);
    this.#item(make("pre", { class: "output-error" }, ...head));
  }

  /** Show a remark of the page itself. */
  note(text: string): void {
    this.#item(make("p", { class: "output-note" }, text));
  }

  /** Add an element that a script may fill. */
  element(): HTMLElement {
    const element = make("div", { class: "output-element" });
    this.#item(element);
    return element;
  }

  /** Show the value of a script's last `return`. */
  result(text: string): void {
    this.#item(marked("↩", make("pre", {}, text)));
  }

  #display(data: MimeBundle, transient: Record<string, unknown>, count: number | null): void {
    const shown = mimeElement(data, this.#run);
    const { display_id } = transient;
    if (typeof display_id === "string") this.#remember(display_id, shown);
    this.#item(count === null ? shown : marked(`[${count}]`, shown));
  }

  #update(data: MimeBundle, transient: Record<string, unknown>): void {
    const { display_id } = transient;
    const shown = typeof display_id === "string" ? this.#displays.get(display_id) : undefined;
    for (const element of [...(shown ?? [])]) {
      const next = mimeElement(data, this.#run);
      element.replaceWith(next);
      shown?.delete(element);
      shown?.add(next);
    }
  }

  #remember(display_id: string, element: HTMLElement): void {
    const known = this.#displays.get(display_id) ?? new Set();
    this.#displays.set(display_id, known.add(element));
  }

  #item(element: HTMLElement): void {
    this.#beforeNext();
    this.#block = null;
    element.classList.add("output-item");
    this.#add(element);
  }

  #beforeNext(): void {
    if (this.#clearBeforeNext) this.clear();
  }

  #add(element: HTMLElement): void {
    this.#element.append(element);
    while (this.#element.childElementCount > MAX_ITEMS) this.#element.firstElementChild?.remove();
    this.#follow();
  }

  /** Keep the newest in view. */
  #follow(): void {
    this.#element.scrollTop = this.#element.scrollHeight;
  }
}

function marked(mark: string, element: HTMLElement): HTMLElement {
  return make(
    "div",
    { class: "output-result" },
    make("span", { class: "result-mark" }, mark),
    element,
  );
}
