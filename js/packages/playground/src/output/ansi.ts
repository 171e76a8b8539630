/**
 * Terminal text as kernels write it: colours by SGR sequences, and lines rewritten with carriage
 * returns. Every other control sequence is left out.
 *
 * Spec: ECMA-48, 8.3.117 (SGR); the 256 colours are xterm's.
 */

/** A colour: one of the 16 that a theme chooses, or a fixed one as `rgb(...)`. */
export type AnsiColor = number | string;

export interface AnsiStyle {
  fg?: AnsiColor;
  bg?: AnsiColor;
  bold?: true;
  dim?: true;
  italic?: true;
  underline?: true;
  strike?: true;
  inverse?: true;
}

export interface AnsiSegment {
  readonly text: string;
  readonly style: Readonly<AnsiStyle>;
}

// CSI … final byte (SGR ends in m) | OSC … BEL or ST | any other two-character escape.
// eslint-disable-next-line no-control-regex -- control characters are what is looked for
const SEQUENCE = /\x1b\[([0-9;:?<=>]*)[ -/]*([@-~])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b./g;

/** Cut text into runs of one style. Never throws: what it does not know it leaves out. */
export function parseAnsi(text: string): AnsiSegment[] {
  const segments: AnsiSegment[] = [];
  let style: AnsiStyle = {};
  let from = 0;
  const take = (to: number): void => {
    if (to > from) segments.push({ text: text.slice(from, to), style });
  };
  for (const match of text.matchAll(SEQUENCE)) {
    take(match.index);
    from = match.index + match[0].length;
    if (match[2] === "m") style = withCodes(style, match[1] ?? "");
  }
  take(text.length);
  return segments;
}

/** Apply `\r` and `\b` as a terminal does, so that a progress bar is one line. */
export function applyOverwrites(text: string): string {
  if (!/[\r\b]/.test(text)) return text;
  return text
    .replace(/\r+\n/g, "\n")
    .split("\n")
    .map((line) => overwritten(line))
    .join("\n");
}

function overwritten(line: string): string {
  let shown = "";
  for (const part of line.split("\r")) {
    const typed = backspaced(part);
    shown = typed + shown.slice(typed.length);
  }
  return shown;
}

function backspaced(part: string): string {
  let typed = "";
  for (const character of part) typed = character === "\b" ? typed.slice(0, -1) : typed + character;
  return typed;
}

function withCodes(before: AnsiStyle, parameters: string): AnsiStyle {
  const codes = parameters.split(/[;:]/).map((code) => (code === "" ? 0 : Number(code)));
  const style = { ...before };
  for (let at = 0; at < codes.length; at += 1) {
    const code = codes[at] ?? 0;
    if (code === 38 || code === 48) {
      const [color, used] = extendedColor(codes.slice(at + 1));
      if (color !== null) style[code === 38 ? "fg" : "bg"] = color;
      at += used;
    } else {
      applyCode(style, code);
    }
  }
  return style;
}

function applyCode(style: AnsiStyle, code: number): void {
  const set = SETS[code];
  const clears = CLEARS[code];
  if (set) style[set] = true;
  else if (clears) for (const key of clears) Reflect.deleteProperty(style, key);
  else if (code >= 30 && code <= 37) style.fg = code - 30;
  else if (code >= 40 && code <= 47) style.bg = code - 40;
  else if (code >= 90 && code <= 97) style.fg = code - 90 + 8;
  else if (code >= 100 && code <= 107) style.bg = code - 100 + 8;
}

type Flag = Exclude<keyof AnsiStyle, "fg" | "bg">;
const SETS: Record<number, Flag | undefined> = {
  1: "bold",
  2: "dim",
  3: "italic",
  4: "underline",
  7: "inverse",
  9: "strike",
};
const ALL: readonly (keyof AnsiStyle)[] = [
  "fg",
  "bg",
  "bold",
  "dim",
  "italic",
  "underline",
  "strike",
  "inverse",
];
const CLEARS: Record<number, readonly (keyof AnsiStyle)[] | undefined> = {
  0: ALL,
  22: ["bold", "dim"],
  23: ["italic"],
  24: ["underline"],
  27: ["inverse"],
  29: ["strike"],
  39: ["fg"],
  49: ["bg"],
};

/** Read `5;n` or `2;r;g;b`; returns the colour, or null, and how many codes that took. */
function extendedColor(codes: readonly number[]): [AnsiColor | null, number] {
  if (codes[0] === 5 && codes.length >= 2) return [indexedColor(codes[1] ?? 0), 2];
  if (codes[0] === 2 && codes.length >= 4) return [rgb(codes.slice(1, 4)), 4];
  return [null, codes.length];
}

function indexedColor(index: number): AnsiColor {
  if (index < 16) return index;
  if (index >= 232) {
    const grey = 8 + 10 * (index - 232);
    return rgb([grey, grey, grey]);
  }
  const cube = index - 16;
  const level = (step: number): number => (step === 0 ? 0 : 55 + 40 * step);
  return rgb([Math.floor(cube / 36), Math.floor(cube / 6) % 6, cube % 6].map(level));
}

function rgb(parts: readonly number[]): string {
  return `rgb(${parts.map((part) => Math.min(255, Math.max(0, part | 0))).join(" ")})`;
}
