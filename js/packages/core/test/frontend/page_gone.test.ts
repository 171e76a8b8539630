import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { onPageGone } from "../../src/frontend/page_gone.js";
import { TARGET } from "../../src/profile/control.js";
import { connected } from "./kernel_end.js";

describe("in a page", () => {
  let page = new EventTarget();

  beforeEach(() => {
    page = new EventTarget();
    vi.stubGlobal("addEventListener", page.addEventListener.bind(page));
    vi.stubGlobal("removeEventListener", page.removeEventListener.bind(page));
  });
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  const hide = (persisted: boolean) =>
    page.dispatchEvent(Object.assign(new Event("pagehide"), { persisted }));

  it("is called when the page goes away, not when it is put aside, and not once it is stopped", () => {
    const left: string[] = [];
    const stop = onPageGone(() => left.push("left"));
    hide(true);
    expect(left).toEqual([]);
    hide(false);
    stop();
    hide(false);
    expect(left).toEqual(["left"]);
  });

  it("a frontend says goodbye to the kernel end it said hello to", async () => {
    const { frontend, kernel } = await connected();
    frontend.comm_manager.sessions.join();
    hide(false);
    expect(kernel.request("comm_close").content.comm_id).toBe(`${TARGET}.${frontend.session}`);
  });

  it("a frontend that has ended says nothing", async () => {
    const { frontend, kernel, errors } = await connected();
    frontend.comm_manager.sessions.join();
    kernel.transport.cut();
    hide(false);
    expect(errors).toEqual([]);
  });
});

it("does nothing where there is no page", () => {
  expect(() => onPageGone(() => undefined)()).not.toThrow();
});
