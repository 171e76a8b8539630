/**
 * Ask now and then whether a server still has a kernel. One that somebody else ended through the server may
 * say nothing at all, and the server keeps the link.
 */
const ASK_MS = 5000;

/** Call `gone` once `isThere` says no; a question without an answer says nothing. Returns what stops it. */
export function lookOut(isThere: () => Promise<boolean>, gone: () => void): () => void {
  let isOver = false;
  const timer = setInterval(() => {
    isThere().then(
      (there) => {
        if (there || isOver) return;
        stop();
        gone();
      },
      () => undefined, // the link tells of a server that is gone
    );
  }, ASK_MS);
  (timer as { unref?: () => void }).unref?.(); // Node: this timer alone keeps no process alive
  const stop = () => {
    isOver = true;
    clearInterval(timer);
  };
  return stop;
}
