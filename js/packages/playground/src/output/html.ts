/**
 * A safe subset of HTML for displayed `text/html`: structure, tables and pictures that need no network.
 * Elements and attributes are let through by name; what is not named here is dropped, its text kept.
 */

const ELEMENTS = new Set(
  (
    "a abbr b blockquote br caption code col colgroup dd del details div dl dt em figcaption figure " +
    "h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p pre q s samp small span strong sub summary sup " +
    "table tbody td tfoot th thead tr u ul var"
  ).split(" "),
);
/** Dropped with everything in them: their text is no text for people. */
const DROPPED = new Set(
  "script style template iframe object embed noscript svg math head".split(" "),
);
const ATTRIBUTES = new Set(
  "align alt colspan height lang open rowspan scope title width".split(" "),
);

/** Parse `html` and return what of it is safe to show. Nothing in it runs or is fetched. */
export function safeHtml(html: string): DocumentFragment {
  const parsed = new DOMParser().parseFromString(html, "text/html");
  const fragment = document.createDocumentFragment();
  fragment.append(...copies(parsed.body));
  return fragment;
}

function copies(parent: Node): Node[] {
  return [...parent.childNodes].flatMap((child) => copy(child));
}

function copy(node: Node): Node[] {
  if (node.nodeType === Node.TEXT_NODE) return [document.createTextNode(node.nodeValue ?? "")];
  if (!(node instanceof Element)) return [];
  const tag = node.localName;
  if (DROPPED.has(tag)) return [];
  if (!ELEMENTS.has(tag)) return copies(node);
  const element = document.createElement(tag);
  for (const { name, value } of node.attributes) copyAttribute(element, name, value);
  element.append(...copies(node));
  return [element];
}

function copyAttribute(element: HTMLElement, name: string, value: string): void {
  if (ATTRIBUTES.has(name)) element.setAttribute(name, value);
  if (name === "src" && /^data:image\/(png|jpeg|gif|webp|svg\+xml)[;,]/i.test(value)) {
    element.setAttribute(name, value);
  }
  if (name === "href" && /^(https?:|mailto:|#)/i.test(value.trim())) {
    element.setAttribute(name, value);
    element.setAttribute("rel", "noopener noreferrer");
    element.setAttribute("target", "_blank");
  }
}
