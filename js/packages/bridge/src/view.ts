/** The line that a displayed bridge shows: small, and readable on a light and on a dark page. */
import type { AfmState } from "tsushin/hosts";

export type Shown = AfmState | "yielded";

const TEXTS: Readonly<Record<Shown, string>> = {
  waiting: "comms: waiting for the kernel",
  connected: "comms: connected",
  gone: "comms: the kernel is gone; run this cell again",
  yielded: "comms are carried by the Tsushin extension",
};

// Bright enough on dark, dark enough on light.
const COLOURS: Readonly<Record<Shown, string>> = {
  waiting: "#c98a00",
  connected: "#2e9e5b",
  gone: "#d64545",
  yielded: "#5b8def",
};

/** Show `state` in `el`; the text takes the colour that the page's own text has. */
export function show(el: HTMLElement, state: Shown): void {
  el.dataset.tsushin = state;
  const line = document.createElement("div");
  line.setAttribute("role", "status");
  line.style.cssText =
    "display:flex;align-items:center;gap:.5em;font:12px/1.6 system-ui,sans-serif;opacity:.75;" +
    "color:var(--jp-ui-font-color1,inherit)";
  const dot = document.createElement("span");
  dot.style.cssText = `width:.6em;height:.6em;border-radius:50%;background:${COLOURS[state]}`;
  dot.setAttribute("aria-hidden", "true");
  line.append(dot, TEXTS[state]);
  el.replaceChildren(line);
}
