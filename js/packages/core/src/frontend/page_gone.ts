/**
 * A page that goes away says so, where there is a page.
 *
 * Browsers do not wait until that has left. So it is also noted where the next page of the tab finds it, which
 * then says it for the one before: else the kernel end would wait a minute for somebody who is gone.
 */

const LEFT = "tsushin:left:"; // and what the page knows the kernel by
const MAX_LEFT = 8; // sessions; frontends of one page to one kernel

export type LeftStorage = Pick<Storage, "getItem" | "setItem" | "removeItem">;

/** Return what is kept for this page's tab; undefined where there is no page, as in Node, or it is forbidden. */
export function pageStorage(): Storage | undefined {
  if (typeof document === "undefined") return undefined;
  try {
    return sessionStorage;
  } catch {
    return undefined; // even looking at it may be forbidden
  }
}

/** Note that a session with a kernel is over. */
export function noteLeft(storage: LeftStorage | undefined, kernel: string, session: string): void {
  try {
    const sessions = [...sessionsIn(storage, kernel), session].slice(-MAX_LEFT);
    storage?.setItem(LEFT + kernel, JSON.stringify(sessions));
  } catch {
    // Nothing may be kept: what the page says as it goes has to do.
  }
}

/** Return the sessions with a kernel that pages of this tab have noted, and forget them. */
export function takeLeft(storage: LeftStorage | undefined, kernel: string): string[] {
  try {
    const sessions = sessionsIn(storage, kernel);
    storage?.removeItem(LEFT + kernel);
    return sessions;
  } catch {
    return [];
  }
}

function sessionsIn(storage: LeftStorage | undefined, kernel: string): string[] {
  const noted: unknown = JSON.parse(storage?.getItem(LEFT + kernel) ?? "[]");
  return Array.isArray(noted) ? noted.filter((one) => typeof one === "string") : [];
}

/**
 * Call `leave` when the page goes away for good; a page that is only put aside may come back. Returns what
 * stops it.
 */
export function onPageGone(leave: () => void): () => void {
  const page = globalThis as Partial<Pick<Window, "addEventListener" | "removeEventListener">>;
  const listener = ({ persisted }: PageTransitionEvent) => {
    if (!persisted) leave();
  };
  page.addEventListener?.("pagehide", listener);
  return () => page.removeEventListener?.("pagehide", listener);
}
