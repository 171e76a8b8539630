/**
 * Make a link anew that broke: ask for the kernel, connect, pause and try again. The twin of `_try_to_connect`
 * in `src/tsushin/frontend/frontend.py`.
 */
import { Expected } from "../expected.js";
import type { Transport } from "../transports/base.js";

/** Seconds; a link that broke is made anew within that time, or given up. */
const AWAY_TIMEOUT = 60;

/** Seconds; of one try: where packets vanish it would end much later. */
const ATTEMPT_TIMEOUT = 10;

const FIRST_PAUSE_MS = 100; // between two tries, doubling
const LAST_PAUSE_MS = 2000;

/** How the kernel is reached once more. Both reject where nobody answers, and once `signal` is aborted. */
export interface WayBack {
  isThere(signal: AbortSignal): Promise<boolean>;
  reconnect(signal: AbortSignal): Promise<Transport>;
}

export interface ComeBackOptions {
  /** Ends the attempt. */
  readonly signal: AbortSignal;
  /** Seconds; 60 by default. */
  readonly timeout?: number;
}

/**
 * Return a new link; "gone": its server has no such kernel any more; null: there was none in time, or the
 * signal ended the attempt. Never rejects.
 */
export async function comeBack(
  way: WayBack,
  { signal, timeout = AWAY_TIMEOUT }: ComeBackOptions,
): Promise<Transport | "gone" | null> {
  const found = new Expected<Transport | "gone">("the link made anew", { timeout, signal });
  const trying = new AbortController();
  void keepTrying(way, found, trying.signal);
  try {
    return await found.promise;
  } catch {
    return null;
  } finally {
    trying.abort();
  }
}

async function keepTrying(
  way: WayBack,
  found: Expected<Transport | "gone">,
  signal: AbortSignal,
): Promise<void> {
  let pause = FIRST_PAUSE_MS;
  while (found.isWaiting) {
    const result = await attempt(way, signal);
    if (result !== null) {
      const isWanted = found.settle(result);
      if (!isWanted && result !== "gone") result.close();
      return;
    }
    await sleep(pause, signal);
    pause = Math.min(2 * pause, LAST_PAUSE_MS);
  }
}

/** Try once, for so long; a link that comes later is closed. */
async function attempt(way: WayBack, signal: AbortSignal): Promise<Transport | "gone" | null> {
  const result = new Expected<Transport | "gone" | null>("a try", {
    timeout: ATTEMPT_TIMEOUT,
    signal,
  });
  const trying = new AbortController();
  void connectOnce(way, trying.signal).then((found) => {
    if (!result.settle(found) && typeof found === "object") found?.close();
  });
  try {
    return await result.promise;
  } catch {
    return null;
  } finally {
    trying.abort();
  }
}

async function connectOnce(way: WayBack, signal: AbortSignal): Promise<Transport | "gone" | null> {
  try {
    return (await way.isThere(signal)) ? await way.reconnect(signal) : "gone";
  } catch {
    return null; // the server, or the way to it, may be back soon
  }
}

/** Resolves after so many milliseconds, or once `signal` is aborted. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", wake);
      resolve();
    };
    const timer = setTimeout(wake, ms);
    signal.addEventListener("abort", wake);
    if (signal.aborted) wake();
  });
}
