import { expect, it } from "vitest";
import { RemoteProtocolError, TransportClosed, TransportLost } from "../../src/errors.js";
import type { JsonObject } from "../../src/protocol/messages.js";
import type { AfmModel, AfmState } from "../../src/transports/afm.js";
import { AfmTransport } from "../../src/transports/afm.js";
import { encode } from "../../src/wire/afm.js";
import { Heard, sample } from "./check.js";

type Callback = (content: unknown, buffers?: readonly ArrayBuffer[]) => void;

/** The kernel's side of one model: what the page posted, and what it is told. */
class Model implements AfmModel {
  readonly posted: JsonObject[] = [];
  readonly buffers: ArrayBuffer[][] = [];
  readonly callbacks = new Set<Callback>();

  get(): unknown {
    return "k1";
  }

  on(_name: "msg:custom", callback: Callback): void {
    this.callbacks.add(callback);
  }

  off(_name: "msg:custom", callback: Callback): void {
    this.callbacks.delete(callback);
  }

  send(content: JsonObject, _callbacks?: unknown, buffers: ArrayBuffer[] = []): void {
    this.posted.push(structuredClone(content));
    this.buffers.push(buffers);
  }

  say(content: JsonObject, buffers: ArrayBuffer[] = []): void {
    for (const callback of this.callbacks) callback({ tsushin: 1, ...content }, buffers);
  }

  get page(): unknown {
    return this.posted[0]?.page;
  }
}

const message = (n: number, rest: JsonObject = {}) => ({ n, message: encode(sample(n)), ...rest });
const ids = (heard: Heard) => heard.messages.map((one) => one.header.msg_id);

function connected(next = 0) {
  const [transport, model] = [new AfmTransport(), new Model()];
  const heard = new Heard(transport);
  const states: AfmState[] = [];
  transport.on_state = (state) => states.push(state);
  transport.use(model);
  model.say({ welcome: model.page, n: next });
  return { transport, model, heard, states };
}

it("says hello first, then numbers what it sends", () => {
  const { transport, model } = connected();
  transport.send(sample(1, [Uint8Array.of(9, 1, 9).subarray(1, 2)]));
  const [hello, sent] = model.posted;
  expect(hello).toMatchObject({ tsushin: 1, n: 0, hello: true });
  expect(sent).toMatchObject({ tsushin: 1, n: 1, page: hello?.page, message: encode(sample(1)) });
  expect(model.buffers[1]).toEqual([Uint8Array.of(1).buffer]);
});

it("keeps what is sent while there is no model, and sends it after the hello", () => {
  const [transport, model] = [new AfmTransport(), new Model()];
  transport.send(sample(1));
  transport.use(model);
  expect(model.posted.map(({ n, hello }) => [n, hello])).toEqual([
    [0, true],
    [1, undefined],
  ]);
});

it("hears nothing before the welcome, everything after it", () => {
  const [transport, model] = [new AfmTransport(), new Model()];
  const heard = new Heard(transport);
  transport.use(model);
  model.say(message(4));
  model.say({ welcome: model.page, n: 5 });
  model.say(message(5));
  model.say(message(6, { to: "another page" }));
  model.say(message(7, { to: model.page }));
  expect(ids(heard)).toEqual(["m5", "m7"]);
});

it("is lost where a message of the kernel is missing", async () => {
  const { transport, model, heard, states } = connected();
  model.say(message(1));
  expect(await heard.ended).toBeInstanceOf(TransportLost);
  expect(heard.faults[0]).toBeInstanceOf(RemoteProtocolError);
  expect(() => transport.send(sample(1))).toThrow(TransportLost);
  expect(states).toEqual(["connected", "gone"]);
});

it("reports a malformed message and goes on", () => {
  const { model, heard } = connected();
  model.say({ n: 0, message: { channel: "iopub" } });
  model.say(message(1));
  expect(heard.faults).toHaveLength(1);
  expect(ids(heard)).toEqual(["m1"]);
});

it("goes on by another model of the same kernel, as the same page", () => {
  const { transport, model, heard, states } = connected();
  model.say(message(0));
  transport.leave();
  transport.send(sample(1));
  const next = new Model();
  transport.use(next);
  next.say({ welcome: next.page, n: 1 });
  next.say(message(1));
  expect(next.page).toBe(model.page);
  expect(next.posted.map(({ n }) => n)).toEqual([2, 3]); // after the hello (0) and the goodbye (1)
  expect(ids(heard)).toEqual(["m0", "m1"]);
  expect([heard.faults, states]).toEqual([[], ["connected", "waiting", "connected"]]);
});

it("reports what was lost between two models", () => {
  const { transport, heard } = connected();
  const next = new Model();
  transport.use(next);
  next.say({ welcome: next.page, n: 3 });
  expect(String(heard.faults[0])).toContain("3 messages were lost");
});

it("says goodbye when it is closed, once", async () => {
  const { transport, model, heard } = connected();
  transport.close();
  transport.close();
  expect(model.posted.filter(({ bye }) => bye)).toHaveLength(1);
  expect(model.callbacks.size).toBe(0);
  expect(await heard.ended).toBeInstanceOf(TransportClosed);
});

it("ends where the kernel says that it is gone, to all or to this page", async () => {
  const { model, heard, states } = connected();
  model.say({ gone: "not you", to: "another page" });
  expect(states).toEqual(["connected"]);
  model.say({ gone: "the kernel shuts down" });
  expect(String(await heard.ended)).toContain("the kernel shuts down");
});

it("passes over custom messages of others", () => {
  const { model, heard } = connected();
  for (const callback of model.callbacks) callback({ n: 0, message: encode(sample(1)) });
  expect(heard.messages).toEqual([]);
});

it("hands over what came before it was started", () => {
  const [transport, model] = [new AfmTransport(), new Model()];
  transport.use(model);
  model.say({ welcome: model.page, n: 0 });
  model.say(message(0));
  expect(ids(new Heard(transport))).toEqual(["m0"]);
});
