import { javascriptLanguage } from "@codemirror/lang-javascript";
import { pythonLanguage } from "@codemirror/lang-python";
import { describe, expect, test } from "vitest";
import { FLOWS, flowById } from "../src/flows.js";

/** Positions at which the parser had to guess. */
function faults(language: typeof pythonLanguage, code: string): number[] {
  const found: number[] = [];
  language.parser.parse(code).iterate({
    enter: (node) => {
      if (node.type.isError) found.push(node.from);
    },
  });
  return found;
}

describe.each(FLOWS.map((flow) => [flow.id, flow] as const))("%s", (_id, flow) => {
  test("both cells are code", () => {
    expect(faults(pythonLanguage, flow.python)).toEqual([]);
    expect(faults(javascriptLanguage, flow.javascript)).toEqual([]);
    // eslint-disable-next-line @typescript-eslint/no-implied-eval -- as the script runner does
    expect(() => new Function(flow.javascript)).not.toThrow();
  });

  test("each step is another cell", () => {
    const cells = flow.steps.map((step) => step.cell);
    expect(cells.length).toBeGreaterThan(0);
    expect(new Set(cells).size).toBe(cells.length);
  });

  test("no line is too wide for a cell", () => {
    const lines = [...flow.python.split("\n"), ...flow.javascript.split("\n")];
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
  });
});

test("ids and titles are unique", () => {
  expect(new Set(FLOWS.map((flow) => flow.id)).size).toBe(FLOWS.length);
  expect(new Set(FLOWS.map((flow) => flow.title)).size).toBe(FLOWS.length);
});

test("the documented flows keep the documentation's own calls", () => {
  const { python, javascript } = flowById("kernel-opens");
  expect(python).toContain("from ipykernel.comm import Comm");
  expect(python).toContain("Comm(target_name='my_comm_target', data={'foo': 1})");
  expect(javascript).toContain(
    "Jupyter.notebook.kernel.comm_manager.register_target('my_comm_target',",
  );
  const page = flowById("page-opens");
  expect(page.python).toContain(
    "get_ipython().kernel.comm_manager.register_target('my_comm_target', target_func)",
  );
  expect(page.javascript).toContain(
    "comm = Jupyter.notebook.kernel.comm_manager.new_comm('my_comm_target',",
  );
});

test("an unknown id is refused by name", () => {
  expect(() => flowById("nope")).toThrow(/nope: expected one of kernel-opens/);
});
