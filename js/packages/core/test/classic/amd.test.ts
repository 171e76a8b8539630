import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { make_jupyter } from "../../src/classic/jupyter.js";
import { run_script } from "../../src/classic/script.js";
import { connected } from "../frontend/kernel_end.js";
import type { ModuleFiles } from "./module_files.js";
import { amdAt, requirejsText, serveFiles } from "./module_files.js";

let served: ModuleFiles;
const globalsBefore = new Set(Object.getOwnPropertyNames(globalThis));

beforeAll(async () => {
  served = await serveFiles();
});
afterAll(() => served.stop());
beforeEach(() => {
  served.files.clear();
  served.asked.length = 0;
});

afterEach(() => {
  const made = Object.getOwnPropertyNames(globalThis).filter((name) => !globalsBefore.has(name));
  expect(made.filter((name) => !name.startsWith("__vi"))).toEqual([]);
});

/** Make a promise of the one error `on_error` hears of. */
function heard(options: Parameters<typeof amdAt>[1] = {}) {
  let hear!: (error: unknown) => void;
  const error = new Promise<Error>((resolve) => (hear = resolve as typeof hear));
  return { error, ...amdAt(served.url, { ...options, on_error: hear }) };
}

describe("require", () => {
  it("loads files, and gives an anonymous define to the file it is in", async () => {
    served.files.set("a.js", "define(['b'], function (b) { return { a: b + 1 }; });");
    served.files.set("b.js", "define(function () { return 1; });");
    const { loaded, errors } = amdAt(served.url);
    expect(await loaded("a", "b")).toEqual([{ a: 2 }, 1]);
    expect(errors).toEqual([]);
  });

  it("knows CommonJS-style modules, and UMD ones take define and no global", async () => {
    served.files.set(
      "cjs.js",
      "define((require, exports) => { exports.two = require('one') * 2; });",
    );
    const umd = `(function (root, factory) {
      if (typeof exports === "object") throw new Error("exports is no business of a page's");
      if (typeof define === "function" && define.amd) define([], factory);
      else root.umdGlobal = factory();
    })(this, function () { return 1; });`;
    served.files.set("one.js", umd);
    expect(await amdAt(served.url).loaded("cjs")).toEqual([{ two: 2 }]);
  });

  it("finds what a module that is named by its address needs beside it", async () => {
    served.files.set("lib/a.js", "define(['./b', 'require'], (b, r) => [b, r.toUrl('./data')]);");
    served.files.set("lib/b.js", "define((require) => require('../c') + 1);");
    served.files.set("c.js", "define(1);");
    served.files.set("plain", "define({ plain: 1 });");
    const [a, plain] = await amdAt(served.url).loaded(
      `${served.url}lib/a.js`,
      `${served.url}plain`,
    );
    expect([a, plain]).toEqual([[2, `${served.url}lib/data`], { plain: 1 }]);
  });

  it("loads many files at once without mixing up their names", async () => {
    const names = Array.from({ length: 20 }, (_, i) => `m${i}`);
    for (const name of names) served.files.set(`${name}.js`, `define([], () => "${name}");`);
    expect(await amdAt(served.url).loaded(...names)).toEqual(names);
  });

  it("may be given an async function", async () => {
    served.files.set("a.js", "define({ a: 1 });");
    const { amd, error } = heard();
    amd.require(["a"], async (a: unknown) => {
      await Promise.resolve();
      throw new Error(JSON.stringify(a));
    });
    expect((await error).message).toBe('{"a":1}');
  });

  it("calls its function without modules too", async () => {
    expect(await amdAt(served.url).loaded()).toEqual([]);
  });

  it("gives one loaded module at once, and says how to get another", async () => {
    served.files.set("a.js", "define({ a: 1 });");
    const { amd, loaded } = amdAt(served.url);
    const wanted = 'require("a"): it is not loaded yet; write require(["a"]';
    expect(() => amd.require("a")).toThrow(wanted);
    await loaded("a");
    expect(amd.require("a")).toEqual({ a: 1 });
    expect(() => amd.require("b")).toThrow('write require(["b"]');
  });
});

describe("before RequireJS is loaded", () => {
  it("it is not asked for until a module is needed", async () => {
    const load_requirejs = vi.fn(requirejsText);
    const { amd, loaded } = amdAt(served.url, { load_requirejs });
    amd.define("x", [], () => 1);
    amd.require.config({ paths: { y: "z" } });
    expect(load_requirejs).not.toHaveBeenCalled();
    await Promise.all([loaded("x"), loaded("x")]);
    expect(load_requirejs).toHaveBeenCalledOnce();
  });

  it("calls wait in their order", async () => {
    served.files.set("lib/real.js", "define(['made'], (made) => ['real', made]);");
    const { amd, loaded } = amdAt(served.url);
    amd.require.config({ baseUrl: `${served.url}elsewhere` });
    amd.requirejs.config({ baseUrl: `${served.url}lib/`, paths: { alias: "real" } });
    amd.define("made", () => "first");
    amd.require.undef("made");
    amd.define("made", () => "second");
    expect(await loaded("alias")).toEqual([["real", "second"]]);
  });

  it("questions are answered from what is known", async () => {
    const { amd, loaded } = amdAt(served.url);
    amd.require.config({ paths: { lib: "vendor/lib-1", cdn: "https://cdn.example/x" } });
    amd.define("x", [], () => 1);
    const answers = () => [
      amd.require.defined("x"),
      amd.require.toUrl("lib/data.json"),
      amd.require.toUrl("./other/a.css"),
      amd.require.toUrl("cdn/y.js"),
    ];
    const before = answers();
    expect(amd.require.specified("x")).toBe(true);
    expect(amd.require.specified("y")).toBe(false);
    await loaded();
    expect(before).toEqual([
      false,
      `${served.url}vendor/lib-1/data.json`,
      `${served.url}other/a.css`,
      "https://cdn.example/x/y.js",
    ]);
    expect(answers().slice(1)).toEqual(before.slice(1));
    await loaded("x");
    expect(amd.require.defined("x")).toBe(true);
  });

  it("and cannot be, everyone who waits hears of it, and the next call tries again", async () => {
    let text = () => Promise.reject(new Error("HTTP status 404"));
    const { amd, errors, loaded } = amdAt(served.url, { load_requirejs: () => text() });
    amd.define("x", [], () => 1);
    const wanted = "RequireJS could not be loaded: HTTP status 404";
    await expect(loaded("x")).rejects.toThrow(wanted);
    await expect(amd.load("x")).rejects.toThrow(wanted);
    amd.require(["x"]);
    await vi.waitFor(() => expect(String(errors[0])).toContain(wanted));
    text = requirejsText as typeof text;
    expect(await loaded("x")).toEqual([1]);
  });

  it("something else is not taken for it", async () => {
    const { loaded } = amdAt(served.url, { load_requirejs: () => Promise.resolve("<html>") });
    await expect(loaded("x")).rejects.toThrow("RequireJS could not be loaded");
  });
});

describe("what goes wrong", () => {
  it("reaches the function for errors, in clear words", async () => {
    const failed = amdAt(served.url).loaded("gone");
    const url = `${served.url}gone.js`;
    await expect(failed).rejects.toThrow(`module "gone" from ${url}: HTTP status 404`);
    await expect(failed).rejects.toMatchObject({ requireModules: ["gone"] });
  });

  it.each([
    ["throws", "throw new Error('at its top');", "at its top"],
    ["is no JavaScript", "let let", "let"],
    ["throws after its define", "define([], () => 1); throw new Error('late');", "late"],
  ])("names the module whose file %s", async (_what, text, wanted) => {
    served.files.set("bad.js", text);
    const { loaded } = amdAt(served.url);
    await expect(loaded("bad")).rejects.toThrow(wanted);
    served.files.set("good.js", "define([], () => 'good');");
    expect(await loaded("good")).toEqual(["good"]); // nothing of the bad file is left
  });

  it("reaches on_error where no function was given", async () => {
    const { amd, error } = heard();
    amd.require(["gone"], () => undefined);
    expect((await error).message).toContain('module "gone"');
  });

  it("in a factory or in the function itself reaches on_error", async () => {
    const inFactory = heard();
    inFactory.amd.define("bad", [], () => {
      throw new Error("factory");
    });
    inFactory.amd.require(["bad"]);
    expect((await inFactory.error).message).toBe("factory");
    const inFunction = heard();
    inFunction.amd.require([], () => {
      throw new Error("function");
    });
    expect((await inFunction.error).message).toBe("function");
  });

  it("may be anything that a factory throws", async () => {
    served.files.set("a.js", "define(['b'], (b) => b);");
    served.files.set("b.js", "define([], () => { throw 'just text'; });");
    await expect(amdAt(served.url).loaded("a")).rejects.toThrow("just text");
  });

  it("is tried again, with all that needs it, and calls only who asked again", async () => {
    served.files.set("a.js", "define(['b', 'made'], (b, made) => [b, made]);");
    const { amd, errors } = amdAt(served.url);
    amd.define("made", ["b"], (b: unknown) => `made of ${String(b)}`);
    const ok = vi.fn();
    amd.require(["a"], ok);
    await vi.waitFor(() => expect(String(errors[0])).toContain('module "b"'));
    served.files.set("b.js", "define([], () => 'b');");
    expect(await amd.load("a")).toEqual(["b", "made of b"]);
    expect(ok).not.toHaveBeenCalled();
  });

  it("moves on to the next of several addresses", async () => {
    served.files.set("here.js", "define([], () => 'here');");
    const { amd, loaded } = amdAt(served.url);
    amd.require.config({ paths: { lib: ["not/there", "nor/there", "here"] } });
    expect(await loaded("lib")).toEqual(["here"]);
    expect(served.asked).toEqual(["not/there.js", "nor/there.js", "here.js"]);
  });

  it("of a synchronous require inside a module is thrown there", async () => {
    served.files.set("a.js", "define(['require'], (require) => require('never' + 'asked'));");
    await expect(amdAt(served.url).loaded("a")).rejects.toThrow("has not been loaded yet");
  });
});

describe("a script without define", () => {
  afterEach(() => {
    delete (globalThis as { plainOld?: unknown }).plainOld;
  });

  it("is found by the global that its shim names", async () => {
    served.files.set("old.js", "var plainOld = { version: base.n };");
    const { amd, loaded } = amdAt(served.url);
    (globalThis as { base?: unknown }).base = { n: 7 };
    amd.require.config({ shim: { old: { exports: "plainOld" } } });
    expect(await loaded("old")).toEqual([{ version: 7 }]);
    delete (globalThis as { base?: unknown }).base;
    delete (globalThis as { plainOld?: unknown }).plainOld;
  });
});

describe("in displayed scripts", () => {
  async function scope(base_url = served.url) {
    const { amd, errors } = amdAt(base_url);
    return { scope: { Jupyter: make_jupyter((await connected()).frontend), ...amd }, errors };
  }

  it("require, requirejs and define are in scope, and `load` is not", async () => {
    const { scope: given } = await scope();
    const code = `
      define("three", ["two"], function (two) { return two + 1; });
      define("two", function () { return 2; });
      const three = await new Promise((ok, no) => require(["three"], ok, no));
      return [three, require === requirejs, typeof define.amd, typeof load];`;
    expect(await run_script(code, given)).toEqual([3, true, "object", "undefined"]);
  });

  it("define needs a name, and says so", async () => {
    const code = "define(['a'], function (a) {});";
    await expect(run_script(code, (await scope()).scope)).rejects.toThrow(
      'define: a displayed script needs a name for its module, as in define("name"',
    );
  });

  it("one page's modules are not another's", async () => {
    const [one, other] = [amdAt(served.url), amdAt(served.url)];
    one.amd.define("x", [], () => "one");
    other.amd.define("x", [], () => "other");
    expect([await one.loaded("x"), await other.loaded("x")]).toEqual([["one"], ["other"]]);
  });
});
