import { describe, expect, it } from "vitest";
import { QueueFull, TransportClosed, TransportError, TransportLost } from "../../src/errors.js";
import { TARGET, controlId } from "../../src/profile/control.js";
import { DEFAULT_LIMITS } from "../../src/protocol/limits.js";
import type { JsonObject, Message } from "../../src/protocol/messages.js";
import { newHeader, newMessage } from "../../src/protocol/messages.js";
import { KernelLink } from "../../src/transports/kernel_connection.js";
import type { KernelLinkOptions } from "../../src/transports/kernel_connection.js";
import { Connection } from "../lab_connection.js";

function started(options: Partial<KernelLinkOptions> = {}) {
  const known = new Set<string>(); // as the manager behind a link would know them
  const knows = (comm_id: string) => known.has(comm_id);
  const link = new KernelLink({ ours: { isRegistered: () => false, knows }, ...options });
  const received: Message[] = [];
  const errors: Error[] = [];
  link.start({
    message: (message) => {
      received.push(message);
      known.add(String(message.content.comm_id));
    },
    fault: (error) => errors.push(error),
    end: (error) => errors.push(error),
  });
  return { link, known, received, errors, connection: new Connection() };
}

function message(msg_type: string, content: JsonObject = {}, buffers: Uint8Array[] = []): Message {
  const header = newHeader(msg_type, { msg_id: "m1", session: "s1", now_ms: 0 });
  return newMessage("shell", header, { content, buffers });
}

describe("sending", () => {
  it("waits for a kernel, in order", () => {
    const { link, connection } = started();
    for (const type of ["comm_open", "comm_msg", "comm_msg"]) link.send(message(type));
    link.connect(connection);
    link.send(message("comm_close"));
    expect(connection.types()).toEqual(["comm_open", "comm_msg", "comm_msg", "comm_close"]);
  });

  it("is bounded while it waits", () => {
    const limits = { ...DEFAULT_LIMITS, max_kept_messages: 2 };
    const { link } = started({ limits });
    link.send(message("comm_msg"));
    link.send(message("comm_msg"));
    expect(() => link.send(message("comm_msg"))).toThrow(QueueFull);
  });

  it("copies a part of a buffer: JupyterLab would send the whole", () => {
    const { link, connection } = started();
    link.connect(connection);
    const bytes = new Uint8Array([1, 2, 3, 4]);
    link.send(message("comm_msg", {}, [bytes.subarray(1, 3), bytes]));
    const [part, whole] = connection.last("comm_msg").buffers as [Uint8Array, Uint8Array];
    expect([part.byteOffset, part.buffer.byteLength, [...part]]).toEqual([0, 2, [2, 3]]);
    expect(whole).toBe(bytes);
  });

  it("fails where the kernel is dead, and after close", () => {
    const { link, connection, errors } = started();
    link.connect(connection);
    connection.status = "dead";
    expect(() => link.send(message("comm_msg"))).toThrow(TransportLost);
    link.close();
    link.close();
    expect(() => link.send(message("comm_msg"))).toThrow(TransportClosed);
    expect(errors.filter((one) => one instanceof TransportError)).toHaveLength(1);
  });
});

describe("an open that goes on after a reload", () => {
  it("is not sent where the kernel has the comm, and what follows it is", () => {
    const { link, connection } = started();
    link.hold();
    link.send(message("comm_open", { comm_id: "old" }));
    link.send(message("comm_msg", { comm_id: "old" }));
    link.send(message("comm_open", { comm_id: "new" }));
    link.connect(connection);
    link.send(message("comm_info_request"));
    expect(connection.types()).toEqual(["comm_info_request"]);
    link.openAlive(["old"]);
    expect(connection.types()).toEqual(["comm_info_request", "comm_msg", "comm_open"]);
  });

  it("is sent when that comm was taken up once, or the kernel is another", () => {
    const { link, connection } = started();
    link.connect(connection);
    link.openAlive(["old", "other"]);
    link.send(message("comm_open", { comm_id: "old" }));
    link.send(message("comm_open", { comm_id: "old" }));
    link.clear();
    link.send(message("comm_open", { comm_id: "other" }));
    expect(connection.types()).toEqual(["comm_open", "comm_open"]);
  });
});

describe("receiving", () => {
  it("hands on what the kernel sent on any channel, before JupyterLab handles it", async () => {
    const { link, connection, received } = started();
    link.connect(connection);
    await connection.opens("c1", "t");
    connection.arrive("shell", "execute_reply", { status: "ok" }, { msg_id: "m1" });
    connection.anyMessage.emit({
      msg: connection.arrive("iopub", "status", {}),
      direction: "send",
    });
    expect(received.map((one) => [one.channel, one.header.msg_type])).toEqual([
      ["iopub", "comm_open"],
      ["shell", "execute_reply"],
      ["iopub", "status"],
    ]);
    expect(connection.handled).toEqual([]);
  });

  it("leaves opens of widget libraries out", async () => {
    const { link, connection, received } = started();
    connection._targetRegistry["jupyter.widget"] = () => undefined;
    link.connect(connection);
    await connection.opens("w1", "jupyter.widget");
    expect([received, connection.handled]).toEqual([[], ["open w1"]]);
    expect(link.isForeign("jupyter.widget")).toBe(true);
  });

  it("leaves out messages of comms that are not ours", () => {
    const { link, known, connection, received } = started();
    link.connect(connection);
    connection.arrive("iopub", "comm_msg", { comm_id: "b1", data: "text, as Bokeh sends it" });
    connection.arrive("iopub", "comm_close", { comm_id: "b1" });
    known.add("c1").add("c2");
    connection.arrive("iopub", "comm_msg", { comm_id: "c1", data: {} });
    connection.arrive("iopub", "comm_close", { comm_id: "c2", data: {} });
    expect(received.map((one) => one.content.comm_id)).toEqual(["c1", "c2"]);
  });

  it("takes every message of a control comm, and keeps its close from JupyterLab", async () => {
    const knows = () => false; // as a manager, which hands none of them to its comms
    const { link, connection, received } = started({ ours: { isRegistered: () => false, knows } });
    link.connect(connection);
    const hello = { comm_id: TARGET, data: { profile: 1 } };
    connection.arrive("iopub", "comm_msg", hello);
    await connection.closes(controlId("s1"));
    expect(received.map((one) => one.content.comm_id)).toEqual([TARGET, controlId("s1")]);
    expect(connection.handled).toEqual([]);
  });

  it("reports a malformed message, and goes on", () => {
    const { link, connection, received, errors } = started();
    link.connect(connection);
    const msg = { ...connection.arrive("iopub", "status", {}), content: [] };
    connection.anyMessage.emit({ msg, direction: "recv" });
    connection.anyMessage.emit({ msg: { ...msg, content: {}, channel: "x" }, direction: "recv" });
    connection.arrive("iopub", "comm_open", { comm_id: 1 });
    expect(errors.map((one) => one.message)).toEqual([
      expect.stringContaining("expected a JSON object, got []") as string,
      expect.stringContaining("expected one of shell, iopub, control, stdin") as string,
    ]);
    expect(received).toHaveLength(2);
  });

  it("hears the kernel of now only", () => {
    const { link, connection, received } = started();
    const next = new Connection("k2");
    link.connect(connection);
    link.connect(next);
    connection.arrive("iopub", "status", {});
    next.arrive("iopub", "status", {});
    link.connect(null);
    next.arrive("iopub", "status", {});
    expect(received).toHaveLength(1);
    expect(link.connection).toBeNull();
  });
});
