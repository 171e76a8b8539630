import { describe, expect, it } from "vitest";
import { Outputs, outputOf } from "../../src/frontend/outputs.js";
import type { JsonObject } from "../../src/protocol/messages.js";

function collect(...messages: [string, JsonObject][]): Outputs {
  const outputs = new Outputs();
  for (const [msg_type, content] of messages) {
    const output = outputOf(msg_type, content);
    if (output !== null) outputs.add(output);
  }
  return outputs;
}

const shown = (text: string, display_id: string): JsonObject => ({
  data: { "text/plain": text },
  metadata: {},
  transient: { display_id },
});

it("replaces what was displayed under an id", () => {
  const { list } = collect(
    ["display_data", shown("old", "d1")],
    ["display_data", shown("other", "d2")],
    ["update_display_data", shown("new", "d1")],
  );
  expect(list).toMatchObject([
    { data: { "text/plain": "new" } },
    { data: { "text/plain": "other" } },
  ]);
});

describe("clear_output", () => {
  const stream = (text: string): [string, JsonObject] => ["stream", { name: "stdout", text }];

  it("clears at once", () => {
    expect(collect(stream("a"), ["clear_output", { wait: false }]).list).toEqual([]);
  });

  it("that waits clears with the next output", () => {
    const outputs = collect(stream("a"), ["clear_output", { wait: true }]);
    expect(outputs.text("stdout")).toBe("a");
    outputs.add({ output_type: "stream", name: "stdout", text: "b" });
    expect(outputs.text("stdout")).toBe("b");
  });
});

it.each([
  ["stream", { name: 3 }, { output_type: "stream", name: "stdout", text: "" }],
  ["error", {}, { output_type: "error", ename: "", evalue: "", traceback: [] }],
  ["execute_result", { data: 1 }, { data: {}, metadata: {}, execution_count: null }],
])("reads a malformed %s as empty", (msg_type, content, expected) => {
  expect(outputOf(msg_type, content)).toMatchObject(expected);
});

it("is nobody's output otherwise", () => {
  expect(outputOf("status", { execution_state: "idle" })).toBeNull();
});
