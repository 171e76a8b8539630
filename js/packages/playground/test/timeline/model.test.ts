import { expect, test } from "vitest";
import { MAX_ENTRIES, MAX_JSON_CHARACTERS, TimelineModel } from "../../src/timeline/model.js";
import { commMessage } from "./message.js";

const OPEN = commMessage("comm_open", { comm_id: "c1", target_name: "t", data: { foo: 1 } });
const MSG = commMessage("comm_msg", { comm_id: "c1", data: { foo: 2 } });

test("only comm messages are recorded", () => {
  const model = new TimelineModel();
  expect(model.record("kernel-to-page", commMessage("status", {}), 0)).toBeNull();
  expect(model.entries).toEqual([]);
});

test("what the ends say about their sessions is not recorded", () => {
  const hello = { comm_id: "tsushin.session.s", target_name: "tsushin.session", data: {} };
  expect(
    new TimelineModel().record("page-to-kernel", commMessage("comm_open", hello), 0),
  ).toBeNull();
});

test("time counts from the first entry, and anew after a clear", () => {
  const model = new TimelineModel();
  model.record("kernel-to-page", OPEN, 1000);
  expect(model.record("kernel-to-page", MSG, 1012.5)?.at_ms).toBe(12.5);
  model.clear();
  expect(model.record("kernel-to-page", MSG, 2000)?.at_ms).toBe(0);
});

test("a message is listed under the target of its open, also after a clear", () => {
  const model = new TimelineModel();
  model.record("kernel-to-page", OPEN, 0);
  model.clear();
  expect(model.record("page-to-kernel", MSG, 1)?.target).toBe("t");
});

test("a message of a comm whose open was not seen has no target", () => {
  expect(new TimelineModel().record("page-to-kernel", MSG, 1)?.target).toBe("");
});

test("the size is that of the JSON of content and metadata, and of the buffers", () => {
  const content = { comm_id: "c1", data: { text: "通信" } };
  const metadata = { a: 1 };
  const buffers = [new Uint8Array(0), new Uint8Array(1000).subarray(10, 20)];
  const bytes = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));
  const entry = new TimelineModel().record(
    "page-to-kernel",
    commMessage("comm_msg", content, { metadata, buffers }),
    0,
  );
  expect(entry?.size_bytes).toBe(bytes(content) + bytes(metadata) + 10);
});

test("buffers are kept as size and first bytes only", () => {
  const buffer = Uint8Array.from({ length: 100 }, (_, at) => at);
  const entry = new TimelineModel().record(
    "page-to-kernel",
    commMessage("comm_msg", { comm_id: "c1", data: {} }, { buffers: [buffer] }),
    0,
  );
  expect(entry?.buffers).toEqual([
    { size_bytes: 100, head: "00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f …" },
  ]);
});

test("long data is cut, its full size is counted", () => {
  const data = { long: "x".repeat(1_000_000) };
  const entry = new TimelineModel().record(
    "page-to-kernel",
    commMessage("comm_msg", { comm_id: "c1", data }),
    0,
  );
  expect(entry?.data.length).toBe(MAX_JSON_CHARACTERS + 1);
  expect(entry?.size_bytes).toBeGreaterThan(1_000_000);
});

test("what is recorded does not change when the data does", () => {
  const data: Record<string, unknown> = { foo: 1 };
  const model = new TimelineModel();
  model.record("page-to-kernel", commMessage("comm_msg", { comm_id: "c1", data }), 0);
  data.foo = 2;
  expect(model.entries[0]?.data).toBe('{"foo":1}');
});

test("the newest entries are kept, and all are counted", () => {
  const model = new TimelineModel();
  const sent = MAX_ENTRIES * 3;
  for (let at = 0; at < sent; at += 1) model.record("kernel-to-page", MSG, at);
  expect(model.entries.length).toBeLessThanOrEqual(MAX_ENTRIES * 1.25);
  expect(model.entries.length).toBeGreaterThanOrEqual(MAX_ENTRIES);
  expect(model.entries.at(-1)?.seq).toBe(sent);
  expect(model.totals["kernel-to-page"].messages).toBe(sent);
});

test("totals are kept for each direction and start anew after a clear", () => {
  const model = new TimelineModel();
  const entry = model.record("page-to-kernel", MSG, 0);
  expect(model.totals["page-to-kernel"]).toEqual({ messages: 1, bytes: entry?.size_bytes });
  expect(model.totals["kernel-to-page"]).toEqual({ messages: 0, bytes: 0 });
  model.clear();
  expect(model.totals["page-to-kernel"]).toEqual({ messages: 0, bytes: 0 });
});

test("content that breaks the specification is recorded all the same", () => {
  const broken = commMessage("comm_msg", { comm_id: 7, data: [1] });
  expect(new TimelineModel().record("kernel-to-page", broken, 0)).toMatchObject({
    comm_id: "",
    data: "[1]",
  });
});
