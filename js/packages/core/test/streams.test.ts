import { describe, expect, it } from "vitest";
import { CommClosed, NoPeer, RemoteError } from "../src/errors.js";
import type { Stream } from "../src/streams.js";
import { openPair, settled } from "./pair.js";

async function joined() {
  const pair = await openPair();
  pair.frontend.manager.sessions.join();
  return pair;
}

/** Both ends of an open comm, the kernel's `here`, and what lets them say hello to each other. */
async function strangers() {
  const pair = await openPair();
  pair.kernel.manager.sessions.announce(); // a frontend may come
  return { ...pair, join: () => pair.frontend.manager.sessions.join() };
}

async function all(stream: Stream): Promise<unknown[]> {
  const parts: unknown[] = [];
  for await (const part of stream) parts.push(part);
  return parts;
}

describe("stream", () => {
  it("gives what a generator yields, asynchronous or not, either way", async () => {
    const { here, there } = await joined();
    here.handle("count", function* (msg) {
      for (let n = 0; n < Number(msg.content.data.to); n += 1) yield n;
    });
    there.handle("bytes", async function* () {
      await settled();
      yield Uint8Array.of(1, 2);
      yield null;
    });
    expect(await all(there.stream("count", { to: 100 }))).toEqual([...Array(100).keys()]);
    expect(await all(here.stream("bytes"))).toEqual([Uint8Array.of(1, 2), null]);
  });

  it("gives the value of a function that gives no parts", async () => {
    const { here, there } = await joined();
    here.handle("one", () => ({ a: 1 }));
    here.handle("none", () => undefined);
    expect(await all(there.stream("one"))).toEqual([{ a: 1 }]);
    expect(await all(there.stream("none"))).toEqual([]);
  });

  it("runs no further ahead of its reader than the window", async () => {
    const { here, there } = await joined();
    let made = 0;
    here.handle("many", function* () {
      for (;;) yield (made += 1);
    });
    const stream = there.stream("many", null, { window: 4 });
    await settled();
    expect(made).toBe(4);
    for (let n = 1; n <= 10; n += 1) expect((await stream.next()).value).toBe(n);
    await settled();
    expect(made).toBeLessThanOrEqual(14);
    await stream.return();
  });

  it("goes on where parts were taken before the ends knew each other", async () => {
    const { here, there, join } = await strangers();
    there.handle("count", function* () {
      yield* Array(100).keys();
    });
    const stream = here.stream("count", null, { window: 4, timeout: 5 });
    for (let n = 0; n < 4; n += 1) expect((await stream.next()).value).toBe(n);
    join();
    expect((await all(stream)).length).toBe(96);
  });

  it("ends the generator when the loop was left before the ends knew each other", async () => {
    const { here, there, join } = await strangers();
    let isEnded = false;
    there.handle("many", function* () {
      try {
        for (;;) yield 1;
      } finally {
        isEnded = true;
      }
    });
    for await (const part of here.stream("many", null, { window: 4 })) if (part === 1) break;
    await settled();
    join();
    await settled();
    expect(isEnded).toBe(true);
  });

  it("ends the generator when the loop is left", async () => {
    const { here, there } = await joined();
    let isEnded = false;
    here.handle("many", function* () {
      try {
        for (let n = 0; ; n += 1) yield n;
      } finally {
        isEnded = true;
      }
    });
    for await (const part of there.stream("many")) if (part === 3) break;
    await settled();
    expect(isEnded).toBe(true);
  });

  it("throws what the function threw, after its parts", async () => {
    const { here, there } = await joined();
    here.handle("fails", function* () {
      yield 1;
      throw new RangeError("no more");
    });
    const stream = there.stream("fails");
    expect((await stream.next()).value).toBe(1);
    await expect(stream.next()).rejects.toBeInstanceOf(RemoteError);
    expect((await stream.next()).done).toBe(true);
  });

  it("ends with its time, its signal, its comm, and where nobody answers", async () => {
    const { here, there } = await joined();
    here.handle("never", () => new Promise(() => undefined));
    await expect(all(there.stream("never", null, { timeout: 0.01 }))).rejects.toThrow("not within");
    const controller = new AbortController();
    const stopped = all(there.stream("never", null, { signal: controller.signal }));
    controller.abort(new Error("enough"));
    await expect(stopped).rejects.toThrow("enough");
    await expect(all(there.stream("nobody"))).rejects.toBeInstanceOf(NoPeer);
    const open = all(there.stream("never"));
    here.close();
    await expect(open).rejects.toBeInstanceOf(CommClosed);
  });

  it("has a window of one part at least", async () => {
    const { there } = await joined();
    expect(() => there.stream("x", null, { window: 0 })).toThrow(RangeError);
  });
});

it("a request to a function that gives parts fails, and says what to use", async () => {
  const { here, there } = await joined();
  here.handle("many", function* () {
    yield 1;
  });
  await expect(there.request("many")).rejects.toThrow("use comm.stream");
});
