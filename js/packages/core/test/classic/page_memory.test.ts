import { expect, it } from "vitest";
import { PageMemory } from "../../src/classic/page_memory.js";
import type { PageStorage, StorageLike } from "../../src/classic/page_memory.js";
import { MapStorage, tabs } from "../storage.js";

/** The memory after the page was loaded: what was opened before is known, what is opened now is new. */
const load = (storage: PageStorage, document = "a.ipynb") => new PageMemory(document, storage);

it("gives a reloaded page the comm that the same call opened", () => {
  const [tab] = tabs(1);
  load(tab).opened("c1", "script:1");
  const reloaded = load(tab);
  expect(reloaded.hasClaims).toBe(true);
  expect(reloaded.claim("script:2")).toBeNull();
  expect(reloaded.claim("script:1")).toBe("c1");
});

it("gives each comm once, the one opened last first", () => {
  const [tab] = tabs(1);
  const before = load(tab);
  before.opened("c1", "script:1");
  before.opened("c2", "script:1");
  const reloaded = load(tab);
  expect([1, 2, 3].map(() => reloaded.claim("script:1"))).toEqual(["c2", "c1", null]);
  expect(reloaded.hasClaims).toBe(false);
});

it("gives nothing that was opened since the page was loaded", () => {
  const [tab] = tabs(1);
  const memory = load(tab);
  memory.opened("c1", "script:1");
  expect(memory.claim("script:1")).toBeNull();
});

it("gives nothing of another tab, and yet knows that it is a page's", () => {
  const [one, other] = tabs(2);
  load(one).opened("c1", "script:1");
  expect(load(other).claim("script:1")).toBeNull();
  expect(load(other).ids()).toEqual(new Set(["c1"]));
});

it("keeps documents apart", () => {
  const [tab] = tabs(1);
  load(tab, "a.ipynb").opened("c1", "script:1");
  expect(load(tab, "b.ipynb").claim("script:1")).toBeNull();
});

it("remembers a comm that no script can claim, so that it is not taken for the kernel's", () => {
  const [tab] = tabs(1);
  load(tab).opened("c1", null);
  expect(load(tab).hasClaims).toBe(false);
  expect(load(tab).ids()).toEqual(new Set(["c1"]));
});

it("forgets what was closed, what the kernel does not have, and all with the kernel", () => {
  const [tab] = tabs(1);
  const memory = load(tab);
  for (const id of ["c1", "c2", "c3"]) memory.opened(id, id);
  memory.closed("c1");
  expect(memory.ids()).toEqual(new Set(["c2", "c3"]));
  memory.prune(new Set(["c3"]));
  expect(memory.ids()).toEqual(new Set(["c3"]));
  memory.clear();
  expect(memory.ids()).toEqual(new Set());
  expect(tab.shared.getItem("tsushin:opened:a.ipynb")).toBeNull();
});

it("forgets the oldest above 500", () => {
  const [tab] = tabs(1);
  const memory = load(tab);
  for (let i = 0; i < 501; i += 1) memory.opened(`id-${i}`, null);
  expect(memory.ids().size).toBe(500);
  expect(memory.ids().has("id-0")).toBe(false);
});

it("reads nothing from what is no memory", () => {
  const [tab] = tabs(1);
  for (const text of ["", "[]", "null", '{"c1": 1}', '{"c1": {"tab": 1}}', "{"]) {
    tab.shared.setItem("tsushin:opened:a.ipynb", text);
    expect(load(tab).ids()).toEqual(new Set());
  }
});

it("does without a storage that is forbidden", () => {
  const forbidden: StorageLike = {
    getItem: () => {
      throw new Error("SecurityError");
    },
    setItem: () => {
      throw new Error("QuotaExceededError");
    },
    removeItem: () => undefined,
  };
  const memory = load({ tab: forbidden, shared: forbidden });
  memory.opened("c1", "script:1");
  expect([memory.claim("script:1"), memory.ids().size]).toEqual([null, 0]);
  const full = { ...forbidden, getItem: () => null };
  expect(() => load({ tab: new MapStorage(), shared: full }).opened("c1", null)).not.toThrow();
});
