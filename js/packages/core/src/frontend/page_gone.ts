/** A page that goes away says so, where there is a page. */

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
