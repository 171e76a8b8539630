/** JavaScript values as a console writes them, on one line and bounded. */

const MAX_DEPTH = 4;
const MAX_ITEMS = 100;
const MAX_LINE_ITEMS = 12;

/** Write the arguments of `console.log`: strings as they are, everything else inspected. */
export function consoleText(values: readonly unknown[]): string {
  return values.map((value) => (typeof value === "string" ? value : inspect(value))).join(" ");
}

/** Write one value. Never throws, ends on cycles, and calls no getter of a plain object twice. */
export function inspect(value: unknown): string {
  try {
    return written(value, []);
  } catch (error) {
    return `[cannot be shown: ${String(error)}]`;
  }
}

function written(value: unknown, above: readonly object[]): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value.toString()}n`;
  if (typeof value === "function") return `ƒ ${value.name || "anonymous"}()`;
  if (typeof value !== "object" || value === null)
    return Object.is(value, -0) ? "-0" : String(value);
  if (above.includes(value)) return "[circular]";
  if (value instanceof Error) return value.stack ?? String(value);
  return writtenObject(value, [...above, value]);
}

function writtenObject(value: object, above: readonly object[]): string {
  if (value instanceof Date)
    return Number.isNaN(value.getTime()) ? "Invalid Date" : value.toISOString();
  if (value instanceof RegExp) return String(value);
  if (value instanceof Promise) return "Promise";
  if (value instanceof ArrayBuffer) return `ArrayBuffer(${value.byteLength})`;
  if (value instanceof DataView) return `DataView(${value.byteLength} bytes)`;
  if (isElement(value)) return `<${value.localName}>`;
  const name = className(value);
  if (ArrayBuffer.isView(value))
    return `${name}${listed(value as unknown as ArrayLike<unknown>, above)}`;
  if (Array.isArray(value)) return listed(value, above).replace(/^\(\d+\) /, "");
  if (above.length > MAX_DEPTH) return `${name || "Object"} {…}`;
  if (value instanceof Map) return `Map(${value.size}) ${pairs([...value], " => ", above)}`;
  if (value instanceof Set)
    return `Set(${value.size}) ${listed([...value], above).replace(/^\(\d+\) /, "")}`;
  const body = pairs(Object.entries(value), ": ", above);
  return name === "Object" || name === "" ? body : `${name} ${body}`;
}

function listed(items: ArrayLike<unknown>, above: readonly object[]): string {
  if (above.length > MAX_DEPTH) return `(${items.length}) […]`;
  const most = ArrayBuffer.isView(items) ? MAX_LINE_ITEMS : MAX_ITEMS;
  const shown = Array.from({ length: Math.min(items.length, most) }, (_, at) =>
    written(items[at], above),
  );
  if (items.length > most) shown.push("…");
  return `(${items.length}) [${shown.join(", ")}]`;
}

function pairs(
  entries: readonly (readonly [unknown, unknown])[],
  sign: string,
  above: readonly object[],
): string {
  if (entries.length === 0) return "{}";
  const shown = entries
    .slice(0, MAX_ITEMS)
    .map(([key, value]) => `${keyText(key, sign, above)}${sign}${written(value, above)}`);
  if (entries.length > MAX_ITEMS) shown.push("…");
  return `{${shown.join(", ")}}`;
}

function keyText(key: unknown, sign: string, above: readonly object[]): string {
  const isPlainName =
    sign === ": " && typeof key === "string" && /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(key);
  return isPlainName ? key : written(key, above);
}

function className(value: object): string {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null) return "";
  const { constructor } = value as { constructor?: unknown };
  return typeof constructor === "function" ? constructor.name : "";
}

function isElement(value: object): value is Element {
  return typeof Element !== "undefined" && value instanceof Element;
}
