/** A `<pre>` that text is appended to, bounded, and rewritten at most once a frame. */
import { make, oncePerFrame } from "../dom.js";
import { ansiNodes } from "./ansi_view.js";

/** Characters kept in one block; beyond it the oldest are dropped, and the block says so. */
const MAX_CHARACTERS = 200_000;

export class TextBlock {
  readonly element: HTMLElement;
  readonly #written: () => void;
  #text = "";
  #dropped = false;
  readonly #render = oncePerFrame(() => this.#show());

  /** `written` is called after each time the text was shown. */
  constructor(className: string, written: () => void) {
    this.element = make("pre", { class: `output-item ${className}` });
    this.#written = written;
  }

  append(text: string): void {
    this.#text += text;
    if (this.#text.length > MAX_CHARACTERS) {
      this.#text = this.#text.slice(-MAX_CHARACTERS / 2);
      this.#dropped = true;
    }
    this.#render();
  }

  #show(): void {
    const shown = this.#text.replace(/\n$/, "");
    this.element.replaceChildren(
      ...(this.#dropped ? ["[earlier output was dropped]\n"] : []),
      ...ansiNodes(shown),
    );
    this.#written();
  }
}
