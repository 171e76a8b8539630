import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { lookOut } from "../../src/frontend/lookout.js";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

it("tells once that the kernel is gone", async () => {
  let there = true;
  const gone = vi.fn();
  lookOut(() => Promise.resolve(there), gone);
  await vi.advanceTimersByTimeAsync(20_000);
  expect(gone).not.toHaveBeenCalled();
  there = false;
  await vi.advanceTimersByTimeAsync(20_000);
  expect(gone).toHaveBeenCalledTimes(1);
});

it("takes a question without an answer for nothing", async () => {
  const gone = vi.fn();
  lookOut(() => Promise.reject(new Error("no server")), gone);
  await vi.advanceTimersByTimeAsync(20_000);
  expect(gone).not.toHaveBeenCalled();
});

it("asks nothing once it is stopped, and drops an answer under way", async () => {
  const gone = vi.fn();
  const answers: ((there: boolean) => void)[] = [];
  const stop = lookOut(() => new Promise((resolve) => answers.push(resolve)), gone);
  await vi.advanceTimersByTimeAsync(5000);
  stop();
  answers[0]?.(false);
  await vi.advanceTimersByTimeAsync(20_000);
  expect(answers).toHaveLength(1);
  expect(gone).not.toHaveBeenCalled();
});
