/**
 * The timeline on the page. Messages may come thousands a second: they are recorded at once and shown
 * once a frame, and no more rows are in the page than a reader can use.
 */
import { find, make, oncePerFrame } from "../dom.js";
import { isPing, passes, type Filter } from "./filter.js";
import { MAX_ENTRIES, type Entry, type TimelineModel } from "./model.js";
import { shortId, timelineRow } from "./row.js";

/** Rows in the page at once; older entries come by "Show older". */
const ROWS_STEP = 400;
/** Comms listed in the filter; the newest. */
const MAX_LISTED_COMMS = 12;
/** Pixels from the end within which the list follows new rows. */
const FOLLOW_PX = 40;

export class TimelineView {
  readonly #model: TimelineModel;
  readonly #scroller = find("timeline", HTMLElement);
  readonly #list = find("timeline-rows", HTMLElement);
  readonly #note = find("timeline-shown", HTMLElement);
  readonly #menu = find("timeline-filter", HTMLSelectElement);
  readonly #pause = find("timeline-pause", HTMLButtonElement);
  readonly #pings = find("timeline-pings", HTMLButtonElement);
  readonly #older = find("timeline-older", HTMLButtonElement);
  #filter: Filter;
  #isPaused = false;
  #rowsWanted = ROWS_STEP;
  #lastShown = 0;
  #pingCount = 0;
  #menuKey = "";
  readonly #refresh = oncePerFrame(() => this.#showNew());

  constructor(model: TimelineModel, ping_target: string) {
    this.#model = model;
    this.#filter = { only: null, ping_target, show_pings: false };
    this.#menu.addEventListener("change", () => this.#choose(this.#menu.value));
    this.#pause.addEventListener("click", () => this.#setPaused(!this.#isPaused));
    this.#pings.addEventListener("click", () => this.#setPings(!this.#filter.show_pings));
    this.#older.addEventListener("click", () => this.#showOlder());
    this.#showMenu();
    this.#showNote();
  }

  /** Take note of a recorded entry; it is shown in the next frame. */
  add(entry: Entry): void {
    if (isPing(this.#filter, entry)) this.#pingCount += 1;
    this.#refresh();
  }

  clear(): void {
    this.#pingCount = 0;
    this.#rowsWanted = ROWS_STEP;
    this.#redraw();
  }

  #showNew(): void {
    if (!this.#isPaused) {
      const follows = this.#isAtEnd();
      this.#append(this.#matching().filter((entry) => entry.seq > this.#lastShown));
      if (follows) this.#scrollToEnd();
    }
    this.#showMenu();
    this.#showNote();
  }

  /** Build the rows anew: the filter changed. */
  #redraw(): void {
    this.#list.replaceChildren();
    this.#lastShown = 0;
    this.#append(this.#matching());
    this.#scrollToEnd();
    this.#showMenu();
    this.#showNote();
  }

  #matching(): Entry[] {
    return this.#model.entries.filter((entry) => passes(this.#filter, entry));
  }

  #append(entries: readonly Entry[]): void {
    this.#list.append(...entries.slice(-this.#rowsWanted).map(timelineRow));
    this.#lastShown = this.#model.entries.at(-1)?.seq ?? 0;
    while (this.#list.childElementCount > this.#rowsWanted) this.#list.firstElementChild?.remove();
    this.#offerOlder(this.#matching().length - this.#list.childElementCount);
  }

  /** Offer what is kept but not in the page. */
  #offerOlder(hidden: number): void {
    this.#older.hidden = hidden <= 0;
    this.#older.textContent = `Show ${hidden.toLocaleString("en")} older`;
  }

  #showOlder(): void {
    const before = this.#scroller.scrollHeight;
    this.#rowsWanted = MAX_ENTRIES;
    this.#list.replaceChildren();
    this.#append(this.#matching());
    this.#scroller.scrollTop = this.#scroller.scrollHeight - before;
  }

  #choose(value: string): void {
    const [kind, name] = [value.slice(0, 2), value.slice(2)];
    const only = kind === "t:" ? { target: name } : kind === "c:" ? { comm_id: name } : null;
    this.#filter = { ...this.#filter, only };
    this.#redraw();
  }

  #setPings(show_pings: boolean): void {
    this.#filter = { ...this.#filter, show_pings };
    this.#pings.setAttribute("aria-pressed", String(show_pings));
    this.#redraw();
  }

  #setPaused(isPaused: boolean): void {
    this.#isPaused = isPaused;
    this.#pause.setAttribute("aria-pressed", String(isPaused));
    this.#pause.textContent = isPaused ? "Resume" : "Pause";
    if (!isPaused) this.#showNew();
    this.#showNote();
  }

  #showNote(): void {
    const { entries } = this.#model;
    const waiting = entries.filter((entry) => entry.seq > this.#lastShown).length;
    const rows = this.#list.childElementCount;
    this.#scroller.dataset.empty = String(rows === 0);
    this.#note.textContent =
      this.#isPaused && waiting > 0
        ? `${waiting.toLocaleString("en")} waiting`
        : rows === 0
          ? ""
          : `${rows.toLocaleString("en")} shown`;
    this.#pings.style.visibility = this.#pingCount === 0 ? "hidden" : "visible";
    this.#pings.textContent = `${this.#filter.show_pings ? "Hide" : "Show"} pings`;
  }

  /** Offer the targets and newest comms among the entries; rebuilt only when they changed. */
  #showMenu(): void {
    const targets = this.#model.targets();
    const comms = new Map(this.#model.entries.map((entry) => [entry.comm_id, entry.target]));
    const newest = [...comms].slice(-MAX_LISTED_COMMS);
    const key = JSON.stringify([targets, newest]);
    if (key === this.#menuKey || document.activeElement === this.#menu) return;
    this.#menuKey = key;
    const chosen = this.#menu.value;
    const option = (value: string, text: string): HTMLElement => make("option", { value }, text);
    const group = (label: string, options: HTMLElement[]): HTMLElement =>
      make("optgroup", { label }, ...options);
    this.#menu.replaceChildren(option("", "All comms"));
    if (targets.length > 0) {
      this.#menu.append(
        group(
          "Targets",
          targets.map((name) => option(`t:${name}`, name || "unknown target")),
        ),
        group(
          "Comms",
          newest.map(([id, name]) => option(`c:${id}`, `${shortId(id)} ${name}`)),
        ),
      );
    }
    this.#menu.value = chosen;
    if (this.#menu.value !== chosen) this.#choose((this.#menu.value = ""));
  }

  #isAtEnd(): boolean {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    return scrollHeight - scrollTop - clientHeight < FOLLOW_PX;
  }

  #scrollToEnd(): void {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }
}
