import { describe, expect, it } from "vitest";
import { CommClosed, LocalProtocolError, NoPeer, RemoteError } from "../src/errors.js";
import type { Comm } from "../src/comm.js";
import { MAX_RUNNING } from "../src/requests.js";
import { openPair, settled } from "./pair.js";

const collected = async (comm: Comm, seen: unknown[]) => {
  for await (const msg of comm) seen.push(msg.content.data);
  seen.push("end");
};

describe("request", () => {
  it("resolves with what the function returns, or its promise", async () => {
    const { here, there } = await openPair();
    here.handle("sum", (msg) => {
      const { of } = msg.content.data as { of: number[] };
      return of.reduce((a, b) => a + b, 0);
    });
    here.handle("later", () => Promise.resolve({ a: 1 }));
    expect(await there.request("sum", { of: [1, 2, 3] })).toBe(6);
    expect(await there.request("later")).toEqual({ a: 1 });
  });

  it.each([[null], [0], [""], [[]], [{ a: null }]])("takes %j for an answer", async (value) => {
    const { here, there } = await openPair();
    here.handle("value", () => value);
    expect(await there.request("value")).toEqual(value);
  });

  it("takes nothing for null", async () => {
    const { here, there } = await openPair();
    here.handle("nothing", () => undefined);
    expect(await there.request("nothing")).toBeNull();
  });

  it("carries binary both ways", async () => {
    const { here, there } = await openPair();
    here.handle("turn", (msg) => {
      const { raw } = msg.content.data as { raw: Uint8Array };
      return raw.slice().reverse();
    });
    const answer = await there.request("turn", { raw: new Uint8Array([1, 2, 3]) });
    expect([...(answer as Uint8Array)]).toEqual([3, 2, 1]);
  });

  it("and its answer are no messages", async () => {
    const { here, there } = await openPair();
    const seen: unknown[] = [];
    here.on_msg((msg) => seen.push(msg));
    there.on_msg((msg) => seen.push(msg));
    here.handle("x", () => 1);
    await there.request("x");
    expect(seen).toEqual([]);
  });

  it.each([
    [
      "throws",
      () => {
        throw new RangeError("no");
      },
    ],
    ["rejects", () => Promise.reject(new RangeError("no"))],
  ])("is rejected where the function %s, and that is reported", async (_how, f) => {
    const { here, there, kernel } = await openPair();
    here.handle("fails", f);
    const error: unknown = await there.request("fails").catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(RemoteError);
    expect(error).toMatchObject({ name: "RangeError", message: "RangeError: no" });
    expect(String(kernel.errors[0])).toContain('handler of "fails" of comm');
  });

  it("is rejected where JSON cannot carry the answer", async () => {
    const { here, there } = await openPair();
    here.handle("function", () => ({ a: () => 1 }));
    await expect(there.request("function")).rejects.toThrow("data.value.a");
  });

  it("has no peer where nobody handles it", async () => {
    const { there } = await openPair();
    await expect(there.request("nobody")).rejects.toThrow(NoPeer);
  });

  it("ends when its time is up, and the answer is late", async () => {
    const { here, there } = await openPair();
    let answer: (value: unknown) => void = () => undefined;
    here.handle("slow", () => new Promise((resolve) => (answer = resolve)));
    const waiting = there.request("slow", null, { timeout: 0.01 });
    await expect(waiting).rejects.toThrow("not within 0.01 s");
    answer(1);
    await settled();
    expect(there._requests.late).toBe(1);
  });

  it("ends by its signal", async () => {
    const { here, there } = await openPair();
    here.handle("slow", () => new Promise(() => undefined));
    const controller = new AbortController();
    const waiting = there.request("slow", null, { signal: controller.signal });
    controller.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
  });

  it.each(["here", "there"] as const)("ends with the comm, closed %s", async (closer) => {
    const ends = await openPair();
    ends.here.handle("slow", () => new Promise(() => undefined));
    const waiting = ends.there.request("slow");
    ends[closer].close();
    await expect(waiting).rejects.toThrow(CommClosed);
  });

  it("ends with what lost the comm", async () => {
    const { here, there, frontend } = await openPair();
    here.handle("slow", () => new Promise(() => undefined));
    const waiting = there.request("slow");
    frontend.manager.lose("gone");
    await expect(waiting).rejects.toThrow("gone");
  });

  it("on a closed comm is refused", async () => {
    const { there } = await openPair();
    there.close();
    expect(() => there.request("x")).toThrow(CommClosed);
  });
});

describe("handle", () => {
  it("lets promises settle beside each other, and more than allowed wait their turn", async () => {
    const { here, there } = await openPair();
    const running: ((value: number) => void)[] = [];
    here.handle("wait", () => new Promise((resolve) => running.push(resolve)));
    const answers = Array.from({ length: MAX_RUNNING + 2 }, () => there.request("wait"));
    await settled();
    expect(running.length).toBe(MAX_RUNNING);
    running[1]?.(1);
    expect(await answers[1]).toBe(1);
    await settled();
    expect(running.length).toBe(MAX_RUNNING + 1);
    for (const resolve of running) resolve(0);
    await settled();
    for (const resolve of running) resolve(0);
    expect(await Promise.all(answers)).toHaveLength(MAX_RUNNING + 2);
  });

  it("returns its function, and the last one counts", async () => {
    const { here, there } = await openPair();
    const first = () => 1;
    expect(here.handle("x", first)).toBe(first);
    here.handle("x", () => 2);
    expect(await there.request("x")).toBe(2);
  });

  it("refuses what is no function", async () => {
    const { here } = await openPair();
    // @ts-expect-error -- what JavaScript callers may do
    expect(() => here.handle("x", 3)).toThrow(TypeError);
  });
});

describe("iterating over a comm", () => {
  it("gives every message and ends with the close", async () => {
    const { here, there } = await openPair();
    const seen: unknown[] = [];
    const iterating = collected(here, seen);
    for (const n of [0, 1, 2]) there.send({ n });
    there.close();
    await iterating;
    expect(seen).toEqual([{ n: 0 }, { n: 1 }, { n: 2 }, "end"]);
  });

  it("throws what lost the comm", async () => {
    const { here, kernel } = await openPair();
    const iterating = collected(here, []);
    kernel.manager.lose("gone");
    await expect(iterating).rejects.toThrow("gone");
  });

  it("is refused where on_msg takes the messages", async () => {
    const { here } = await openPair();
    here.on_msg(() => undefined);
    await expect(collected(here, [])).rejects.toThrow(LocalProtocolError);
  });
});
