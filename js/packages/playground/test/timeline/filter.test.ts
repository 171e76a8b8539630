import { expect, test } from "vitest";
import { passes, type Filter } from "../../src/timeline/filter.js";
import { TimelineModel, type Entry } from "../../src/timeline/model.js";
import { commMessage } from "./message.js";

const ALL: Filter = { only: null, ping_target: "ping", show_pings: false };

function entries(target_name: string, comm_id: string): Entry[] {
  const model = new TimelineModel();
  model.record("page-to-kernel", commMessage("comm_open", { comm_id, target_name, data: {} }), 0);
  model.record("page-to-kernel", commMessage("comm_msg", { comm_id, data: {} }), 1);
  model.record("page-to-kernel", commMessage("comm_close", { comm_id, data: {} }), 2);
  return [...model.entries];
}

const shown = (filter: Filter, of: readonly Entry[]): string[] =>
  of.filter((entry) => passes(filter, entry)).map((entry) => entry.type);

test("everything passes when nothing is chosen", () => {
  expect(shown(ALL, entries("t", "c"))).toEqual(["open", "msg", "close"]);
});

test("of the ping comm only open and close pass, until pings are asked for", () => {
  expect(shown(ALL, entries("ping", "c"))).toEqual(["open", "close"]);
  expect(shown({ ...ALL, show_pings: true }, entries("ping", "c"))).toHaveLength(3);
});

test("one target, or one comm", () => {
  const both = [...entries("a", "1"), ...entries("b", "2")];
  expect(shown({ ...ALL, only: { target: "a" } }, both)).toHaveLength(3);
  expect(shown({ ...ALL, only: { comm_id: "2" } }, both)).toHaveLength(3);
  expect(shown({ ...ALL, only: { comm_id: "3" } }, both)).toEqual([]);
});
