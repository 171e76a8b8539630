import { expect, it } from "vitest";
import { Expected } from "../src/expected.js";

it("gives its first value, and takes no other", async () => {
  const expected = new Expected<number>("a number");
  expect([expected.isWaiting, expected.settle(1), expected.settle(2)]).toEqual([true, true, false]);
  expected.fail(new Error("too late"));
  expect(await expected.promise).toBe(1);
});

it("ends when time is up, and says what was waited for", async () => {
  const { promise } = new Expected("a number", { timeout: 0.001 });
  await expect(promise).rejects.toThrow("a number: not within 0.001 s");
  await expect(promise).rejects.toMatchObject({ name: "TimeoutError" });
});

it("ends with the reason of its signal", async () => {
  const controller = new AbortController();
  const { promise } = new Expected("a number", { signal: controller.signal });
  controller.abort(new Error("enough"));
  await expect(promise).rejects.toThrow("enough");
});

it("of a signal that has spoken never waits", () => {
  const expected = new Expected("a number", { signal: AbortSignal.abort() });
  expect(expected.isWaiting).toBe(false);
});

it("that nobody looks at is no unhandled rejection", async () => {
  const unhandled: unknown[] = [];
  const note = (error: unknown) => unhandled.push(error);
  process.on("unhandledRejection", note);
  new Expected("a number").fail(new Error("unseen"));
  await new Promise((resolve) => setImmediate(resolve));
  process.off("unhandledRejection", note);
  expect(unhandled).toEqual([]);
});

it("tells its maker once where nobody waits any more, and not where it has its value", async () => {
  const told: string[] = [];
  const controller = new AbortController();
  const { signal } = controller;
  const abandoned = (name: string) => () => void told.push(name);
  const late = new Expected("late", { timeout: 0.001, abandoned: abandoned("late") });
  new Expected("aborted", { signal, abandoned: abandoned("aborted") });
  new Expected("settled", { signal, abandoned: abandoned("settled") }).settle(1);
  new Expected("failed", { signal, abandoned: abandoned("failed") }).fail(new Error("no"));
  controller.abort();
  await late.promise.catch(() => undefined);
  expect(told).toEqual(["aborted", "late"]);
});
