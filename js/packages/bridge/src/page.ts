/**
 * What the page's other scripts find: `Jupyter`, `tsushin.bridges`, `tsushin.ready`, and the event
 * `tsushin:ready` for scripts that ran before there was any of it.
 *
 * A page can show notebooks of several kernels, but has one `Jupyter`: that of the oldest bridge that works.
 */
import type { Jupyter } from "tsushin";
import { Link } from "./link.js";

export const READY = "tsushin:ready";

interface Globals {
  Jupyter?: Jupyter;
  tsushin?: {
    /** Set by our extension: its version. */
    extension?: string;
    /** The bridges of this page by kernel. */
    bridges?: Record<string, Link>;
    /** The first bridge that is connected. */
    ready?: Promise<Link>;
  };
}

const page = globalThis as Globals;

/** Tell whether our extension carries the comms of this page. */
export function hasExtension(): boolean {
  return Boolean(page.tsushin?.extension);
}

/** Return the link of a kernel: one for the page, until it is gone. */
export function linkOf(kernel_id: string): Link {
  const bridges = announce();
  const known = bridges[kernel_id];
  if (known !== undefined && known.state !== "gone") return known;
  const link = new Link({ kernel_id, on_change: changed });
  bridges[kernel_id] = link;
  addEventListener("pagehide", () => link.end(), { once: true });
  giveJupyter(bridges);
  return link;
}

/** Return the bridge of a kernel, if this page has or had one. */
export function knownLink(kernel_id: string): Link | undefined {
  return page.tsushin?.bridges?.[kernel_id];
}

function announce(): Record<string, Link> {
  const tsushin = (page.tsushin ??= {});
  tsushin.ready ??= new Promise((resolve) =>
    addEventListener(READY, (event) => resolve((event as CustomEvent<Link>).detail), {
      once: true,
    }),
  );
  return (tsushin.bridges ??= {});
}

function changed(link: Link): void {
  const bridges = announce();
  if (link.state === "gone" && bridges[link.kernel_id] === link) {
    Reflect.deleteProperty(bridges, link.kernel_id);
  }
  giveJupyter(bridges, link);
  if (link.state === "connected") dispatchEvent(new CustomEvent(READY, { detail: link }));
}

/** Let `Jupyter` be that of a bridge, unless the page has one of its own. */
function giveJupyter(bridges: Record<string, Link>, changed?: Link): void {
  const links = Object.values(bridges);
  const ours = [...links, ...(changed ? [changed] : [])].map((link) => link.Jupyter);
  if (page.Jupyter !== undefined && !ours.includes(page.Jupyter)) return;
  const best = links.find((link) => link.state === "connected") ?? links[0];
  if (best === undefined) delete page.Jupyter;
  else page.Jupyter = best.Jupyter;
}
