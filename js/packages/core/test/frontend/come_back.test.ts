import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { WayBack } from "../../src/frontend/come_back.js";
import { comeBack } from "../../src/frontend/come_back.js";
import type { Transport } from "../../src/transports/base.js";
import { MemoryTransport } from "../../src/transports/memory.js";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const signal = new AbortController().signal; // of an attempt that nobody ends
const never = () => new Promise<never>(() => undefined);

/** A way that asks `isThere` and `reconnect`, and notes when it was asked for a link (milliseconds). */
function way({
  isThere = () => Promise.resolve(true),
  reconnect = () => Promise.reject(new Error("no way")),
}: Partial<WayBack> = {}) {
  const began = Date.now();
  const tries: number[] = [];
  const counted = (until: AbortSignal) => {
    tries.push(Date.now() - began);
    return reconnect(until);
  };
  return { isThere, reconnect: counted, tries };
}

it("gives the new link at once where there is one", async () => {
  const [link] = MemoryTransport.pair();
  const found = await comeBack(way({ reconnect: () => Promise.resolve(link) }), { signal });
  expect(found).toBe(link);
});

it("tries again with growing pauses until there is a link", async () => {
  const [link] = MemoryTransport.pair();
  const { tries, ...rest } = way({
    reconnect: () => (tries.length < 8 ? Promise.reject(new Error("no")) : Promise.resolve(link)),
  });
  const found = comeBack(rest, { signal });
  await vi.advanceTimersByTimeAsync(20_000);
  expect(await found).toBe(link);
  expect(tries).toEqual([0, 100, 300, 700, 1500, 3100, 5100, 7100]);
});

it("tries no link while the server does not answer, and asks again", async () => {
  let isUp = false;
  const [link] = MemoryTransport.pair();
  const { tries, ...rest } = way({
    isThere: () => (isUp ? Promise.resolve(true) : Promise.reject(new Error("down"))),
    reconnect: () => Promise.resolve(link),
  });
  const found = comeBack(rest, { signal });
  await vi.advanceTimersByTimeAsync(30_000);
  expect(tries).toEqual([]);
  isUp = true;
  await vi.advanceTimersByTimeAsync(2000);
  expect(await found).toBe(link);
});

it("says that the kernel is gone where the server has it no more", async () => {
  const { tries, ...rest } = way({ isThere: () => Promise.resolve(false) });
  expect(await comeBack(rest, { signal })).toBe("gone");
  expect(tries).toEqual([]);
});

it("gives up after 60 s, and tries no more", async () => {
  const { tries, ...rest } = way();
  let found: unknown = "nothing yet";
  void comeBack(rest, { signal }).then((what) => (found = what));
  await vi.advanceTimersByTimeAsync(59_900);
  expect(found).toBe("nothing yet");
  await vi.advanceTimersByTimeAsync(200);
  expect(found).toBe(null);
  const count = tries.length;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(tries.length).toBe(count);
  expect(vi.getTimerCount()).toBe(0);
});

it.each(["isThere", "reconnect"] as const)("gives up although %s never ends", async (which) => {
  const found = comeBack(way({ [which]: never }), { signal, timeout: 1 });
  await vi.advanceTimersByTimeAsync(1000);
  expect(await found).toBe(null);
});

it.each(["isThere", "reconnect"] as const)("tries again where %s does not end", async (which) => {
  const [link] = MemoryTransport.pair();
  const signals: AbortSignal[] = [];
  const hangs = (until: AbortSignal) => {
    signals.push(until);
    return signals.length < 3 ? never() : Promise.resolve(which === "isThere" ? true : link);
  };
  const rest = way({ reconnect: () => Promise.resolve(link), [which]: hangs });
  const found = comeBack(rest, { signal });
  await vi.advanceTimersByTimeAsync(20_200);
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
  await vi.advanceTimersByTimeAsync(200);
  expect(await found).toBe(link);
  expect(vi.getTimerCount()).toBe(0);
});

it("ends at once by the signal, in a pause or within a try", async () => {
  for (const reconnect of [() => Promise.reject(new Error("no way")), never]) {
    const stop = new AbortController();
    const { tries, ...rest } = way({ reconnect });
    const found = comeBack(rest, stop);
    await vi.advanceTimersByTimeAsync(50);
    stop.abort();
    expect(await found).toBe(null);
    expect([tries, vi.getTimerCount()]).toEqual([[0], 0]);
  }
});

it("tells who connects that it is over, and closes a link that comes too late", async () => {
  const stop = new AbortController();
  const [link, peer] = MemoryTransport.pair();
  const ends: unknown[] = [];
  const ignore = () => undefined;
  peer.start({ message: ignore, fault: ignore, end: (error) => ends.push(error) });
  let connected: (link: Transport) => void = ignore;
  let until: AbortSignal | null = null;
  const reconnect = (given: AbortSignal) => {
    until = given;
    return new Promise<Transport>((resolve) => (connected = resolve));
  };
  const found = comeBack(way({ reconnect }), stop);
  await vi.advanceTimersByTimeAsync(0);
  stop.abort();
  expect(await found).toBe(null);
  expect(until).toMatchObject({ aborted: true });
  connected(link);
  await vi.advanceTimersByTimeAsync(0);
  expect(ends).toHaveLength(1);
});
