import { expect, it } from "vitest";
import { pageTab, tabId } from "../../src/frontend/tab.js";
import { MapStorage } from "../storage.js";

it("is the same for one storage, and another for another", () => {
  const storage = new MapStorage();
  expect(tabId(storage)).toBe(tabId(storage));
  expect(tabId(storage)).not.toBe(tabId(new MapStorage()));
});

it("is a new one each time where nothing may be kept", () => {
  const forbidden = {
    getItem: () => null,
    setItem: () => {
      throw new Error("forbidden");
    },
  };
  expect(tabId(forbidden)).not.toBe(tabId(forbidden));
});

it("is none without a page", () => {
  expect(pageTab()).toBeUndefined();
});
