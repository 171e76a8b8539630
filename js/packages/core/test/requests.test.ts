import { describe, expect, it } from "vitest";
import { CommClosed, LocalProtocolError, NoPeer, RemoteError } from "../src/errors.js";
import type { Comm } from "../src/comm.js";
import { MAX_RUNNING } from "../src/requests.js";
import type { StepEnd } from "./pair.js";
import { StepPair, openPair, settled } from "./pair.js";

/** Both ends of a comm whose ends know the profile. */
async function joinedPair() {
  const pair = await openPair();
  pair.frontend.manager.sessions.join();
  return pair;
}

const collected = async (comm: Comm, seen: unknown[]) => {
  for await (const msg of comm) seen.push(msg.content.data);
  seen.push("end");
};

describe("request", () => {
  it("resolves with what the function returns, or its promise", async () => {
    const { here, there } = await joinedPair();
    here.handle("sum", (msg) => {
      const { of } = msg.content.data as { of: number[] };
      return of.reduce((a, b) => a + b, 0);
    });
    here.handle("later", () => Promise.resolve({ a: 1 }));
    expect(await there.request("sum", { of: [1, 2, 3] })).toBe(6);
    expect(await there.request("later")).toEqual({ a: 1 });
  });

  it.each([[null], [0], [""], [[]], [{ a: null }]])("takes %j for an answer", async (value) => {
    const { here, there } = await joinedPair();
    here.handle("value", () => value);
    expect(await there.request("value")).toEqual(value);
  });

  it("takes nothing for null", async () => {
    const { here, there } = await joinedPair();
    here.handle("nothing", () => undefined);
    expect(await there.request("nothing")).toBeNull();
  });

  it("carries binary both ways", async () => {
    const { here, there } = await joinedPair();
    here.handle("turn", (msg) => {
      const { raw } = msg.content.data as { raw: Uint8Array };
      return raw.slice().reverse();
    });
    const answer = await there.request("turn", { raw: new Uint8Array([1, 2, 3]) });
    expect([...(answer as Uint8Array)]).toEqual([3, 2, 1]);
  });

  it("and its answer are no messages", async () => {
    const { here, there } = await joinedPair();
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
    const { here, there, kernel } = await joinedPair();
    here.handle("fails", f);
    const error: unknown = await there.request("fails").catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(RemoteError);
    expect(error).toMatchObject({ name: "RangeError", message: "RangeError: no" });
    expect(String(kernel.errors[0])).toContain('handler of "fails" of comm');
  });

  it("is rejected where JSON cannot carry the answer", async () => {
    const { here, there } = await joinedPair();
    here.handle("function", () => ({ a: () => 1 }));
    await expect(there.request("function")).rejects.toThrow("data.value.a");
  });

  it("has no peer where nobody handles it", async () => {
    const { there } = await joinedPair();
    await expect(there.request("nobody")).rejects.toThrow(NoPeer);
  });

  it("ends when its time is up; the function that answers is told, and its answer is not sent", async () => {
    const { here, there } = await joinedPair();
    let answer: (value: unknown) => void = () => undefined;
    let ended: AbortSignal | undefined;
    here.handle("slow", (_msg, { signal }) => {
      ended = signal;
      return new Promise((resolve) => (answer = resolve));
    });
    const waiting = there.request("slow", null, { timeout: 0.01 });
    await expect(waiting).rejects.toThrow("not within 0.01 s");
    expect(ended?.aborted).toBe(true);
    answer(1);
    await settled();
    expect(there._requests.late).toBe(0);
  });

  it("has no peer at once where nobody knows the profile", async () => {
    const { kernel, there } = await openPair();
    kernel.transport.hold(); // or the answer would be there before anybody looks
    await expect(there.request("x")).rejects.toBeInstanceOf(NoPeer);
  });

  it.each([[false], [true]])(
    "does not wait for who joins after it was sent (%j)",
    async (isNew) => {
      const pair = new StepPair({ frontends: 2, on_unknown: "ignore" });
      const [first, second] = pair.frontends as [StepEnd, StepEnd];
      const never = (comm: Comm) => comm.handle("x", () => new Promise(() => undefined));
      first.manager.register_target("t", never);
      if (isNew) pair.kernel.manager.sessions.announce();
      pair.join(first);
      const here = pair.kernel.manager.new_comm("t");
      pair.run();
      const outcome: unknown[] = [];
      here.request("x").catch((error: unknown) => outcome.push(error));
      pair.run();
      if (!isNew) pair.join(second);
      await settled();
      expect(outcome).toEqual([]);
      first.manager.sessions.leave();
      pair.run();
      if (isNew) pair.join(second);
      await settled();
      expect(outcome).toEqual([expect.any(NoPeer)]);
    },
  );

  it("may have been heard by who says hello just after the kernel end came", async () => {
    const pair = new StepPair({ frontends: 2, on_unknown: "ignore" });
    const [first, second] = pair.frontends as [StepEnd, StepEnd];
    let answer: (value: unknown) => void = () => undefined;
    const slow = (comm: Comm) =>
      comm.handle("x", () => new Promise((resolve) => (answer = resolve)));
    first.manager.register_target("t", () => undefined);
    second.manager.register_target("t", slow);
    pair.kernel.manager.sessions.announce();
    pair.join(first);
    const here = pair.kernel.manager.new_comm("t");
    pair.run();
    const waiting = here.request("x");
    pair.join(second);
    await settled(); // the first one has no handler
    answer(1);
    await settled();
    pair.run();
    expect(await waiting).toBe(1);
  });

  it("counts an answer that nobody waits for as late", async () => {
    const { there } = await joinedPair();
    there._requests.takeAnswer({ type: "answered", re: "r", value: 1 }, "s");
    expect(there._requests.late).toBe(1);
  });

  it("ends by its signal", async () => {
    const { here, there } = await joinedPair();
    here.handle("slow", () => new Promise(() => undefined));
    const controller = new AbortController();
    const waiting = there.request("slow", null, { signal: controller.signal });
    controller.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
  });

  it.each(["here", "there"] as const)("ends with the comm, closed %s", async (closer) => {
    const ends = await joinedPair();
    ends.here.handle("slow", () => new Promise(() => undefined));
    const waiting = ends.there.request("slow");
    ends[closer].close();
    await expect(waiting).rejects.toThrow(CommClosed);
  });

  it("ends with what lost the comm", async () => {
    const { here, there, frontend } = await joinedPair();
    here.handle("slow", () => new Promise(() => undefined));
    const waiting = there.request("slow");
    frontend.manager.lose("gone");
    await expect(waiting).rejects.toThrow("gone");
  });

  it("on a closed comm is refused", async () => {
    const { there } = await joinedPair();
    there.close();
    expect(() => there.request("x")).toThrow(CommClosed);
  });
});

describe("handle", () => {
  it("lets promises settle beside each other, and more than allowed wait their turn", async () => {
    const { here, there } = await joinedPair();
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
    const { here, there } = await joinedPair();
    const first = () => 1;
    expect(here.handle("x", first)).toBe(first);
    here.handle("x", () => 2);
    expect(await there.request("x")).toBe(2);
  });

  it("refuses what is no function", async () => {
    const { here } = await joinedPair();
    // @ts-expect-error -- what JavaScript callers may do
    expect(() => here.handle("x", 3)).toThrow(TypeError);
  });
});

describe("iterating over a comm", () => {
  it("gives every message and ends with the close", async () => {
    const { here, there } = await joinedPair();
    const seen: unknown[] = [];
    const iterating = collected(here, seen);
    for (const n of [0, 1, 2]) there.send({ n });
    there.close();
    await iterating;
    expect(seen).toEqual([{ n: 0 }, { n: 1 }, { n: 2 }, "end"]);
  });

  it("throws what lost the comm", async () => {
    const { here, kernel } = await joinedPair();
    const iterating = collected(here, []);
    kernel.manager.lose("gone");
    await expect(iterating).rejects.toThrow("gone");
  });

  it("is refused where on_msg takes the messages", async () => {
    const { here } = await joinedPair();
    here.on_msg(() => undefined);
    await expect(collected(here, [])).rejects.toThrow(LocalProtocolError);
  });
});
