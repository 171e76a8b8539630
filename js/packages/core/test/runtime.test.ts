import { describe, expect, it, vi } from "vitest";
import { RemoteProtocolError } from "../src/errors.js";
import { PageRuntime, describe as describeError, isPromise } from "../src/runtime.js";

function runtime() {
  const errors: unknown[] = [];
  return { errors, own: new PageRuntime((error) => errors.push(error)) };
}

describe("a page's runtime", () => {
  it("calls later after so many seconds", async () => {
    vi.useFakeTimers();
    const seen: string[] = [];
    runtime().own.later(1.5, () => seen.push("rang"));
    await vi.advanceTimersByTimeAsync(1499);
    expect(seen).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(seen).toEqual(["rang"]);
    vi.useRealTimers();
  });

  it("keeps no process alive for what is later", () => {
    const timer = vi.spyOn(globalThis, "setTimeout");
    runtime().own.later(60, () => undefined);
    expect((timer.mock.results[0]?.value as NodeJS.Timeout).hasRef()).toBe(false);
    timer.mockRestore();
  });

  it("reports what a handler threw, with its cause", () => {
    const { errors, own } = runtime();
    const cause = new TypeError("no");
    own.report(cause, "on_msg of comm x");
    expect(errors).toEqual([new Error("on_msg of comm x threw: no")]);
    expect((errors[0] as Error).cause).toBe(cause);
  });

  it("reports a peer's fault as it is", () => {
    const { errors, own } = runtime();
    const fault = new RemoteProtocolError("broken");
    own.fault(fault);
    expect(errors).toEqual([fault]);
  });

  it("runs in place, and soon means after the caller", async () => {
    const { own } = runtime();
    const seen: string[] = [];
    own.soon(() => seen.push("soon"));
    seen.push(String(own.run(() => "now")));
    await Promise.resolve();
    expect([seen, own.parent()]).toEqual([["now", "soon"], {}]);
  });
});

it("tells promises of any library from other values", () => {
  const own = { then: () => undefined };
  expect([Promise.resolve(), own, {}, null, undefined, 1].map(isPromise)).toEqual([
    true,
    true,
    false,
    false,
    false,
    false,
  ]);
});

it("has words for anything thrown", () => {
  expect([new Error("text"), new RangeError(), "text", undefined].map(describeError)).toEqual([
    "text",
    "RangeError",
    "text",
    "undefined",
  ]);
});
