import { describe, expect, it } from "vitest";
import { INPUTS, STATES, advance } from "../../src/protocol/states.js";
import { readSpec } from "../spec.js";

interface Spec {
  states: string[];
  inputs: string[];
  table: Record<string, Record<string, string | null>>;
}
const spec = readSpec("comm-states.json") as Spec;

it("names the states and inputs of spec/comm-states.json", () => {
  expect([...STATES]).toEqual(spec.states);
  expect([...INPUTS]).toEqual(spec.inputs);
});

describe.each(STATES)("%s", (state) => {
  it.each(INPUTS)("goes on %s where spec/comm-states.json says", (input) => {
    expect(advance(state, input)).toBe(spec.table[state]?.[input]);
  });
});
