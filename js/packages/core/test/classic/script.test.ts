import { afterEach, describe, expect, it } from "vitest";
import { make_jupyter } from "../../src/classic/jupyter.js";
import { run_script } from "../../src/classic/script.js";
import type { ScriptScope } from "../../src/classic/types.js";
import { connected } from "../frontend/kernel_end.js";

async function scope(): Promise<ScriptScope> {
  return { Jupyter: make_jupyter((await connected()).frontend) };
}

afterEach(() => {
  delete (globalThis as { undeclared?: unknown }).undeclared;
});

it("sees Jupyter, IPython and element, and returns what it returns", async () => {
  const given = { ...(await scope()), element: { id: "out" } };
  const code = "return [Jupyter === IPython, Jupyter.notebook.kernel.id, element.id]";
  expect(await run_script(code, given)).toEqual([true, "k1", "out"]);
});

it("runs in sloppy mode: a name without a declaration is a global", async () => {
  await run_script("undeclared = 3", await scope());
  expect((globalThis as { undeclared?: unknown }).undeclared).toBe(3);
});

it("may await at its top", async () => {
  expect(await run_script("return 1 + await Promise.resolve(2)", await scope())).toBe(3);
});

it("writes to the console it is given", async () => {
  const lines: unknown[] = [];
  const own = { ...console, log: (line: unknown) => lines.push(line) };
  await run_script("console.log('hi')", { ...(await scope()), console: own });
  expect(lines).toEqual(["hi"]);
});

it.each([
  ["end with a comment", "return 1 // one"],
  ["begin with an HTML comment", "<!-- hidden from old browsers\nreturn 1;\n--> shown again"],
  ["end with one", "const one = 1;\nreturn one; <!-- one"],
])("may %s", async (_what, code) => {
  expect(await run_script(code, await scope())).toBe(1);
});

it("sees of its scope only what scripts know", async () => {
  const given = { ...(await scope()), load: () => 1, require: undefined };
  const code = "return [typeof load, typeof require, typeof define]";
  // @ts-expect-error -- what JavaScript callers may do
  expect(await run_script(code, given)).toEqual(["undefined", "undefined", "undefined"]);
});

describe("what it throws", () => {
  it("comes with the lines of the script", async () => {
    const code = "const a = 1;\n\nthrow new Error('no');";
    const error: unknown = await run_script(code, await scope()).catch((one: unknown) => one);
    expect(error).toBeInstanceOf(Error);
    expect((error as Error).stack).toMatch(/script-\d+\.js:3:7/);
  });

  it("comes with them after an await too", async () => {
    const code = "await null;\nundefined.foo;";
    const error: unknown = await run_script(code, await scope()).catch((one: unknown) => one);
    expect((error as Error).stack).toMatch(/script-\d+\.js:2:11/);
  });

  it("may be a mistake of syntax", async () => {
    await expect(run_script("let let = 1", await scope())).rejects.toThrow(SyntaxError);
  });

  it("may be anything", async () => {
    await expect(run_script("throw 'text'", await scope())).rejects.toBe("text");
  });
});
