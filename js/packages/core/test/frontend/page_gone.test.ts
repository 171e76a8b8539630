import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { noteLeft, onPageGone, pageStorage, takeLeft } from "../../src/frontend/page_gone.js";
import { TARGET } from "../../src/profile/control.js";
import { MapStorage } from "../storage.js";
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

  it("a frontend notes its goodbye, and the next page's says it again before its hello", async () => {
    const storage = new MapStorage();
    vi.stubGlobal("document", {});
    vi.stubGlobal("sessionStorage", storage);
    const { frontend } = await connected();
    frontend.comm_manager.sessions.join();
    hide(false);
    const next = await connected();
    next.frontend.comm_manager.sessions.join();
    next.frontend.comm_manager.sessions.join();
    const said = next.kernel.received.filter(({ content }) => "comm_id" in content);
    expect(said.map(({ header, content }) => [header.msg_type, content.comm_id])).toEqual([
      ["comm_close", `${TARGET}.${frontend.session}`],
      ["comm_open", `${TARGET}.${next.frontend.session}`],
      ["comm_msg", `${TARGET}.${next.frontend.session}`],
    ]);
  });

  it("a frontend without a kernel end notes nothing", async () => {
    const storage = new MapStorage();
    vi.stubGlobal("document", {});
    vi.stubGlobal("sessionStorage", storage);
    const { frontend } = await connected();
    hide(false);
    expect(takeLeft(storage, frontend.kernel_id)).toEqual([]);
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

describe("what is noted", () => {
  it("is found once, by kernel, and no more than the newest", () => {
    const storage = new MapStorage();
    for (let n = 0; n < 10; n += 1) noteLeft(storage, "k", String(n));
    noteLeft(storage, "other", "x");
    expect(takeLeft(storage, "k")).toEqual(["2", "3", "4", "5", "6", "7", "8", "9"]);
    expect(takeLeft(storage, "k")).toEqual([]);
    expect(takeLeft(storage, "other")).toEqual(["x"]);
  });

  it.each([["{"], ["1"], ["[1, null]"]])("is nothing where others wrote %s", (text) => {
    const storage = new MapStorage();
    storage.setItem("tsushin:left:k", text);
    expect(takeLeft(storage, "k")).toEqual([]);
  });

  it("is nothing where nothing may be kept, or there is no page", () => {
    const fail = () => {
      throw new Error("forbidden");
    };
    const forbidden = { getItem: fail, setItem: fail, removeItem: fail };
    expect(() => noteLeft(forbidden, "k", "s")).not.toThrow();
    expect(takeLeft(forbidden, "k")).toEqual([]);
    expect(pageStorage()).toBeUndefined();
    expect(takeLeft(undefined, "k")).toEqual([]);
  });
});
