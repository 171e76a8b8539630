import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Link } from "../src/link.js";
import { Model } from "./model.js";

interface Page {
  Jupyter?: unknown;
  tsushin?: { extension?: string; bridges?: Record<string, Link>; ready?: Promise<Link> };
}

const page = globalThis as Page;
let module: { initialize(context: object): () => void };

beforeEach(async () => {
  const target = new EventTarget();
  vi.stubGlobal("addEventListener", target.addEventListener.bind(target));
  vi.stubGlobal("dispatchEvent", target.dispatchEvent.bind(target));
  vi.resetModules();
  module = (await import("../src/index.js")).default;
});

afterEach(() => {
  vi.unstubAllGlobals();
  delete page.Jupyter;
  delete page.tsushin;
});

function initialize(kernelId = "k1"): Model {
  const model = new Model(kernelId);
  module.initialize({ model });
  return model;
}

it("gives the page `Jupyter`, and says when it is connected", async () => {
  const events: unknown[] = [];
  addEventListener("tsushin:ready", (event) => events.push((event as CustomEvent).detail));
  const model = initialize();
  const link = page.tsushin?.bridges?.k1;
  expect(page.Jupyter).toBe(link?.Jupyter);
  expect(events).toEqual([]);
  model.welcome();
  expect(events).toEqual([link]);
  expect(await page.tsushin?.ready).toBe(link);
});

it("leaves the page's own `Jupyter` alone", () => {
  page.Jupyter = "its own";
  initialize().welcome();
  expect(page.Jupyter).toBe("its own");
  expect(page.tsushin?.bridges?.k1?.state).toBe("connected");
});

it("keeps each kernel's bridge apart; `Jupyter` is that of one that works", () => {
  const [first, second] = [initialize("k1"), initialize("k2")];
  first.welcome();
  second.welcome();
  const other = page.tsushin?.bridges?.k2;
  first.say({ gone: "it shuts down" });
  expect(page.Jupyter).toBe(other?.Jupyter);
  second.say({ gone: "it shuts down" });
  expect(page.Jupyter).toBeUndefined();
});

it("yields to the extension, and tells the kernel", () => {
  page.tsushin = { extension: "0.1.0" };
  const model = initialize();
  expect(model.posted).toEqual([{ tsushin: 1, page: "extension", n: 0, yield: true }]);
  expect(page.Jupyter).toBeUndefined();
});
