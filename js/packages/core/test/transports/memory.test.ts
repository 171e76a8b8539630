import { describe, expect, it } from "vitest";
import { TransportLost } from "../../src/errors.js";
import { MemoryTransport } from "../../src/transports/memory.js";
import { Heard, checkTransport, sample } from "./check.js";

describe("a memory transport", () => {
  checkTransport(() => Promise.resolve(MemoryTransport.pair()));

  it("lets a test choose the channel, and keeps order within one", () => {
    const [a, b] = MemoryTransport.pair();
    const there = new Heard(b);
    b.hold();
    a.send(sample(1));
    a.send(sample(2));
    a.send({ ...sample(3), channel: "iopub" });
    expect(b.held()).toEqual(["shell", "iopub"]);
    b.step("iopub");
    b.stepAll();
    expect(there.messages.map((message) => message.header.msg_id)).toEqual(["m3", "m1", "m2"]);
  });

  it("loses the oldest of a channel, or lets it in twice", () => {
    const [a, b] = MemoryTransport.pair();
    const there = new Heard(b);
    b.hold();
    for (const n of [1, 2, 3]) a.send(sample(n));
    expect(b.drop("shell")?.header.msg_id).toBe("m1");
    b.repeat("shell");
    b.stepAll();
    expect(there.messages.map((message) => message.header.msg_id)).toEqual(["m2", "m3", "m2"]);
    b.repeat("shell");
    expect([b.drop("shell"), there.messages.length]).toEqual([null, 3]);
  });

  it("loses what is under way when it is cut", async () => {
    const [a, b] = MemoryTransport.pair();
    const there = new Heard(b);
    b.hold();
    a.send(sample(1));
    a.cut();
    expect(await there.ended).toBeInstanceOf(TransportLost);
    expect([b.held(), there.messages]).toEqual([[], []]);
    expect(() => a.send(sample(2))).toThrow(TransportLost);
  });
});
