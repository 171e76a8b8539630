/** The panel of the round-trip chart: start and stop, rate, figures, plot. */
import type { Frontend } from "tsushin";
import { find, make, oncePerFrame } from "../dom.js";
import { millisecondsText } from "../units.js";
import { RoundTripChart } from "./chart.js";
import { PingLoop, type PingEvents } from "./ping.js";
import { SampleWindow } from "./stats.js";

/** Round trips in the chart and its figures. */
const WINDOW_SAMPLES = 300;
const RATES: readonly (readonly [string, number])[] = [
  ["1 a second", 1],
  ["5 a second", 5],
  ["20 a second", 20],
  ["one after another", Infinity],
];
const DEFAULT_RATE = 5;

export class RoundTripPanel {
  readonly #window = new SampleWindow(WINDOW_SAMPLES);
  readonly #host = find("ping-chart", HTMLElement);
  readonly #chart = new RoundTripChart(this.#host);
  readonly #button = find("ping-toggle", HTMLButtonElement);
  readonly #rate = find("ping-rate", HTMLSelectElement);
  readonly #note = find("ping-note", HTMLElement);
  readonly #frontend: () => Frontend | null;
  #loop: PingLoop | null = null;
  #started_ms = 0;
  #total = 0;
  #lost = 0;
  readonly #refresh = oncePerFrame(() => this.#show());

  constructor(frontend: () => Frontend | null) {
    this.#frontend = frontend;
    this.#rate.append(...RATES.map(([text, hz]) => make("option", { value: String(hz) }, text)));
    this.#rate.value = String(DEFAULT_RATE);
    this.#rate.addEventListener("change", () => this.#loop?.setRate(this.#rateHz()));
    this.#button.addEventListener("click", () => {
      if (this.#loop) this.stop();
      else void this.#start();
    });
    this.#show();
  }

  /** Stop measuring; `reason`, if any, is shown. */
  stop(reason = ""): void {
    this.#loop?.stop();
    this.#loop = null;
    this.#setRunning(false);
    if (reason !== "") this.#say(reason);
  }

  recolor(): void {
    this.#chart.recolor();
  }

  async #start(): Promise<void> {
    const frontend = this.#frontend();
    if (!frontend) {
      this.#say("There is no kernel to measure.");
      return;
    }
    this.#button.disabled = true;
    this.#reset();
    try {
      this.#loop = await PingLoop.start(frontend, this.#rateHz(), this.#events());
      this.#setRunning(true);
    } catch (error) {
      this.#say(error instanceof Error ? error.message : String(error));
    } finally {
      this.#button.disabled = false;
    }
  }

  #events(): PingEvents {
    return {
      answered: (took_ms) => {
        this.#total += 1;
        this.#window.add({ at_s: (performance.now() - this.#started_ms) / 1000, took_ms });
        this.#refresh();
      },
      lost: () => {
        this.#lost += 1;
        this.#refresh();
      },
      ended: (reason) => this.stop(reason),
    };
  }

  #reset(): void {
    this.#window.clear();
    this.#total = 0;
    this.#lost = 0;
    this.#started_ms = performance.now();
    this.#show();
  }

  #setRunning(isRunning: boolean): void {
    this.#button.textContent = isRunning ? "Stop" : "Start";
    this.#button.setAttribute("aria-pressed", String(isRunning));
    if (isRunning) this.#note.hidden = true;
  }

  #say(text: string): void {
    this.#note.textContent = text;
    this.#note.hidden = this.#window.samples.length > 0;
  }

  #show(): void {
    const summary = this.#window.summary();
    const figure = (id: string, ms: number | null): void => {
      const unit = ms === null ? [] : [make("small", {}, "ms")];
      find(id, HTMLElement).replaceChildren(ms === null ? "–" : millisecondsText(ms), ...unit);
    };
    figure("ping-p50", summary.p50_ms);
    figure("ping-p95", summary.p95_ms);
    figure("ping-last", summary.last_ms);
    const lost = this.#lost === 0 ? [] : [make("small", {}, `${this.#lost} lost`)];
    find("ping-total", HTMLElement).replaceChildren(this.#total.toLocaleString("en"), ...lost);
    this.#chart.show(this.#window.samples, summary);
    if (summary.p50_ms !== null && summary.p95_ms !== null) {
      this.#host.setAttribute(
        "aria-label",
        `Round-trip times of the newest ${this.#window.samples.length} pings: half within ` +
          `${millisecondsText(summary.p50_ms)} ms, 95 of 100 within ${millisecondsText(summary.p95_ms)} ms`,
      );
    }
  }

  #rateHz(): number {
    return Number(this.#rate.value);
  }
}
