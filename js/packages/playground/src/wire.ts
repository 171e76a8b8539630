/** The wire between the cells: totals each way, and a dot for each message that passes. */
import { find, oncePerFrame, wantsStillness } from "./dom.js";
import type { Direction, Entry, TimelineModel } from "./timeline/model.js";
import { bytesText } from "./units.js";

/** Dots on one lane at once; a burst shows as a full lane, not as a slow page. */
const MAX_PULSES = 12;
const PULSE_MS = 700;
/** From here on a message is drawn as a large dot. */
const LARGE_BYTES = 65_536;

export class Wire {
  readonly #model: TimelineModel;
  readonly #lanes: Record<Direction, Lane> = {
    "kernel-to-page": new Lane("to-page"),
    "page-to-kernel": new Lane("to-kernel"),
  };
  readonly #refresh = oncePerFrame(() => this.show());

  constructor(model: TimelineModel) {
    this.#model = model;
  }

  /** Show that a message passed. */
  add(entry: Entry): void {
    this.#lanes[entry.direction].pulse(entry);
    this.#refresh();
  }

  /** Show the model's totals. */
  show(): void {
    for (const [direction, total] of Object.entries(this.#model.totals)) {
      this.#lanes[direction as Direction].count(total.messages, total.bytes);
    }
  }
}

class Lane {
  readonly #name: string;
  readonly #line: HTMLElement;
  readonly #count: HTMLElement;
  readonly #bytes: HTMLElement;

  constructor(name: "to-page" | "to-kernel") {
    this.#name = name;
    this.#count = find(`${name}-count`, HTMLElement);
    this.#bytes = find(`${name}-bytes`, HTMLElement);
    const line = document.querySelector<HTMLElement>(`.lane.${name} .lane-line`);
    if (!line) throw new Error(`index.html: .lane.${name}: it has no .lane-line`);
    this.#line = line;
  }

  count(messages: number, bytes: number): void {
    this.#count.textContent = messages.toLocaleString("en");
    this.#bytes.textContent = bytesText(bytes);
  }

  pulse(entry: Entry): void {
    if (this.#line.childElementCount >= MAX_PULSES || document.hidden || wantsStillness()) return;
    const dot = document.createElement("span");
    dot.className = entry.size_bytes >= LARGE_BYTES ? "pulse large" : "pulse";
    this.#line.append(dot);
    const way = this.#way();
    const animation = dot.animate(
      [
        { transform: way[0], opacity: 0 },
        { opacity: 1, offset: 0.15 },
        { opacity: 1, offset: 0.85 },
        { transform: way[1], opacity: 0 },
      ],
      { duration: PULSE_MS, easing: "cubic-bezier(.45,.05,.4,1)" },
    );
    const done = (): void => dot.remove();
    animation.finished.then(done, done);
  }

  /** Where a dot starts and ends: the page is right of the kernel, or below it. */
  #way(): [string, string] {
    const { offsetWidth, offsetHeight } = this.#line;
    const far =
      offsetWidth > offsetHeight
        ? `translateX(${offsetWidth - 8}px)`
        : `translateY(${offsetHeight - 8}px)`;
    return this.#name === "to-page" ? ["none", far] : [far, "none"];
  }
}
