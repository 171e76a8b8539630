/** JSON text, indented and coloured. */
import { make } from "../dom.js";

const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d[\d.eE+-]*)|\b(true|false|null)\b/g;

/** Indent JSON text; text that was cut off and no longer parses is returned as it is. */
export function prettyJson(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json), null, 2);
  } catch {
    return json;
  }
}

/** Make coloured nodes of JSON text. */
export function jsonNodes(json: string): (Node | string)[] {
  const pretty = prettyJson(json);
  const nodes: (Node | string)[] = [];
  let from = 0;
  for (const match of pretty.matchAll(TOKEN)) {
    const [whole, string, colon, number] = match;
    nodes.push(pretty.slice(from, match.index));
    const kind = string ? (colon ? "key" : "string") : number ? "number" : "literal";
    nodes.push(make("span", { class: `json-${kind}` }, string ?? whole), colon ?? "");
    from = match.index + whole.length;
  }
  return [...nodes, pretty.slice(from)];
}
