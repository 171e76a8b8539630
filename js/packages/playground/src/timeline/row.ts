/** One row of the timeline: a line, and on demand all that is known of the message. */
import { make } from "../dom.js";
import { bytesText } from "../units.js";
import type { BufferSummary, Entry } from "./model.js";
import { jsonNodes } from "./json_view.js";

/** Characters of data shown in the line. */
const PREVIEW_CHARACTERS = 240;

const WAY_TEXT = {
  "kernel-to-page": "kernel to page",
  "page-to-kernel": "page to kernel",
} as const;

/** Make the element of an entry. It expands and folds by itself. */
export function timelineRow(entry: Entry): HTMLElement {
  const line = make(
    "button",
    { class: "row-line", type: "button", "aria-expanded": "false" },
    ...cells(entry),
  );
  const row = make("div", { class: "timeline-row", role: "listitem" }, line);
  row.dataset.direction = entry.direction;
  row.dataset.type = entry.type;
  row.dataset.target = entry.target;
  row.dataset.commId = entry.comm_id;
  line.addEventListener("click", () => toggle(row, line, entry));
  return row;
}

/** Write milliseconds since the start: `0.0`, `1,234.5`. */
export function timeText(at_ms: number): string {
  return at_ms.toLocaleString("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
}

/** Shorten a comm id for people: the first eight characters. */
export function shortId(comm_id: string): string {
  return comm_id.length <= 8 ? comm_id : comm_id.slice(0, 8);
}

function cells(entry: Entry): HTMLElement[] {
  const cell = (name: string, text: string): HTMLElement =>
    make("span", { class: `row-${name}` }, text);
  const way = make("span", {
    class: "row-way",
    role: "img",
    "aria-label": WAY_TEXT[entry.direction],
  });
  return [
    cell("time", timeText(entry.at_ms)),
    way,
    cell("type", entry.type),
    cell("target", entry.target || "–"),
    cell("comm", shortId(entry.comm_id)),
    cell("size", bytesText(entry.size_bytes)),
    cell("data", preview(entry)),
  ];
}

function preview(entry: Entry): string {
  const count = entry.buffers.length;
  const buffers = count === 0 ? "" : `${count} buffer${count === 1 ? "" : "s"}  `;
  return buffers + entry.data.slice(0, PREVIEW_CHARACTERS);
}

function toggle(row: HTMLElement, line: HTMLElement, entry: Entry): void {
  const isOpen = line.getAttribute("aria-expanded") === "true";
  line.setAttribute("aria-expanded", String(!isOpen));
  if (isOpen) row.querySelector(".row-detail")?.remove();
  else row.append(detail(entry));
}

function detail(entry: Entry): HTMLElement {
  const section = (title: string, ...body: (Node | string)[]): HTMLElement =>
    make("section", {}, make("h3", {}, title), make("pre", {}, ...body));
  const element = make("div", { class: "row-detail" }, section("data", ...jsonNodes(entry.data)));
  if (entry.metadata !== "{}") element.append(section("metadata", ...jsonNodes(entry.metadata)));
  if (entry.buffers.length > 0) element.append(section("buffers", buffersText(entry.buffers)));
  element.append(section("comm", `${entry.comm_id}\n${entry.target || "target unknown here"}`));
  return element;
}

function buffersText(buffers: readonly BufferSummary[]): string {
  return buffers
    .map((buffer, at) =>
      `${at}  ${bytesText(buffer.size_bytes).padStart(9)}  ${buffer.head}`.trimEnd(),
    )
    .join("\n");
}
