import { describe, expect, it } from "vitest";
import { TsushinError } from "../../src/errors.js";
import type { Event } from "../../src/protocol/events.js";
import type { Limits } from "../../src/protocol/limits.js";
import { DEFAULT_LIMITS } from "../../src/protocol/limits.js";
import type { JsonObject, Message } from "../../src/protocol/messages.js";
import { commContent } from "../../src/protocol/contents.js";
import { newHeader, newMessage } from "../../src/protocol/messages.js";
import type { CloseReason, CommRecord } from "../../src/protocol/routing.js";
import { Router, newRecord } from "../../src/protocol/routing.js";
import { bytes, hex } from "../hex.js";
import { readSpec, vectorPaths } from "../spec.js";

interface Act {
  comm_id: string;
  target_name: string;
  target_module?: string;
  data: JsonObject;
  metadata?: JsonObject;
  buffers?: string[];
  parent?: string;
}
interface Step {
  receive?: { msg_type: string; msg_id: string; content: JsonObject };
  open?: Act;
  adopt?: Act;
  send?: Act;
  close?: Act;
  refuse?: { comm_id: string; error: CloseReason };
  lose?: { reason: string };
  register?: { target_name: string };
  new?: boolean;
  events?: JsonObject[];
  sends?: JsonObject[];
  error?: JsonObject;
}
interface Scenario {
  role: "kernel" | "starter" | "attached" | "keeper";
  targets: string[];
  limits?: Partial<Limits>;
  steps: Step[];
  open_comms: Record<string, string>;
}

const ON_UNKNOWN = {
  kernel: "close",
  starter: "close",
  attached: "ignore",
  keeper: "keep",
} as const;

/** One end that a scenario drives; remembers the record of each comm by its id. */
class End {
  readonly router: Router;
  readonly #records = new Map<string, CommRecord>();
  readonly #opened = new Map<string, Extract<Event, { type: "opened" }>>();
  readonly #targets: Set<string>;
  #sent = 0;

  constructor({ role, targets, limits }: Scenario) {
    this.#targets = new Set(targets);
    this.router = new Router({
      channel: role === "kernel" ? "iopub" : "shell",
      session: "s1",
      on_unknown: ON_UNKNOWN[role],
      knowsTarget: (name) => this.#targets.has(name),
      newMsgId: () => `sent-${++this.#sent}`,
      limits: { ...DEFAULT_LIMITS, ...limits },
    });
  }

  run(step: Step): { events: Event[]; sends: Message[]; error: unknown } {
    let error: unknown;
    try {
      this.#act(step);
    } catch (thrown) {
      if (!(thrown instanceof TsushinError)) throw thrown;
      error = thrown;
    }
    const events = this.router.events();
    for (const event of events) if (event.type === "opened") this.#opened.set(event.comm_id, event);
    const replies = events.flatMap((event) => (event.type === "fault" ? [event.error.reply] : []));
    const sends = [...this.router.messagesToSend(), ...replies.filter((reply) => reply !== null)];
    return { events, sends, error };
  }

  #act({ new: isNew = false, ...step }: Step): void {
    const { receive, open, adopt, send, close, refuse, lose, register } = step;
    if (receive) this.router.receive(received(receive), 0);
    if (open) {
      const record = this.#record(open, true, isNew);
      this.router.sendOpen(record, outgoing(open), 0, open.target_module ?? null);
    }
    if (adopt) this.router.adopt(this.#record(adopt, false, isNew));
    if (send) this.router.sendMsg(this.#record(send, true, isNew), outgoing(send), 0);
    if (close) this.router.sendClose(this.#record(close, true, isNew), outgoing(close), 0);
    if (refuse) this.#refuse(refuse);
    if (lose) this.router.lose(lose.reason);
    if (register) {
      this.#targets.add(register.target_name);
      this.router.release(register.target_name, 0);
    }
  }

  #refuse({ comm_id, error }: NonNullable<Step["refuse"]>): void {
    const opened = this.#opened.get(comm_id);
    if (opened === undefined) throw new Error(`nothing was opened as ${comm_id}`);
    this.router.refuse(opened, error, 0);
  }

  #record({ comm_id, target_name }: Act, primary: boolean, isNew: boolean): CommRecord {
    const known = isNew ? null : (this.#records.get(comm_id) ?? this.router.record(comm_id));
    const record = known ?? newRecord(comm_id, target_name, primary);
    if (!isNew) this.#records.set(comm_id, record);
    return record;
  }
}

function received({ msg_type, msg_id, content }: NonNullable<Step["receive"]>): Message {
  const header = newHeader(msg_type, { msg_id, session: "peer", now_ms: 0 });
  return newMessage("iopub", header, { content });
}

function outgoing({ data, metadata = {}, buffers = [], parent }: Act) {
  const header = parent === undefined ? {} : { msg_id: parent };
  return { data, metadata, buffers: buffers.map(bytes), parent: header };
}

function eventFacts(event: Event): JsonObject {
  const { type } = event;
  if (event.type === "fault") return { type, error: event.error };
  const { comm_id } = event;
  switch (event.type) {
    case "opened": {
      const { target_name, target_module } = event;
      return { type, comm_id, target_name, ...(target_module === null ? {} : { target_module }) };
    }
    case "received":
    case "closed":
      return { type, comm_id, data: commContent(event.message).data };
    case "lost":
      return { type, comm_id, reason: event.reason };
    default:
      return { type, comm_id };
  }
}

function sentFacts({ channel, header, parent_header, content, metadata, buffers }: Message) {
  const parent = parent_header.msg_id ?? null;
  const facts = { channel, msg_type: header.msg_type, content, metadata, parent };
  return buffers.length === 0 ? facts : { ...facts, buffers: buffers.map(hex) };
}

/** Make a vector's expectation match more: named attributes of an error, any text for people. */
function expectedEvent(event: JsonObject): JsonObject {
  return "error" in event
    ? { ...event, error: expect.objectContaining(event.error as object) }
    : event;
}

function expectedSend(sent: JsonObject): JsonObject {
  const error = (sent.metadata as { tsushin?: { error?: JsonObject } }).tsushin?.error;
  if (error === undefined || "message" in error) return sent;
  const message: unknown = expect.stringMatching(/./);
  return { ...sent, metadata: { tsushin: { error: { ...error, message } } } };
}

const scenarios = (["valid", "invalid"] as const).flatMap((kind) =>
  vectorPaths("comm", kind).map((path) => ({ name: path.slice(13, -5), scenario: readSpec(path) })),
);

describe.each(scenarios)("comm $name", ({ scenario: given }) => {
  const scenario = given as Scenario;

  it("goes as its vector says, step by step", () => {
    const end = new End(scenario);
    scenario.steps.forEach((step, i) => {
      const { events, sends, error } = end.run(step);
      const where = `step ${i}`;
      expect(events.map(eventFacts), where).toEqual((step.events ?? []).map(expectedEvent));
      expect(sends.map(sentFacts), where).toEqual((step.sends ?? []).map(expectedSend));
      if (step.error === undefined) expect(error, where).toBeUndefined();
      else expect(error, where).toMatchObject(step.error);
    });
    expect(Object.fromEntries(end.router.openComms())).toEqual(scenario.open_comms);
  });
});

it("says who closed a comm and with what data", () => {
  const { router } = new End({ role: "attached", targets: [], steps: [], open_comms: {} });
  const record = newRecord("c1", "t", true);
  router.sendOpen(record, { data: {} }, 0);
  const content = { comm_id: "c1", data: { why: "done" } };
  router.receive(received({ msg_type: "comm_close", msg_id: "m1", content }), 0);
  expect(record).toMatchObject({
    state: "CLOSED",
    closed_by: "there",
    close_data: { why: "done" },
  });
});

it("delivers a kept open and its messages when released, and nothing after a loss", () => {
  const names = new Set<string>();
  const router = new Router({
    channel: "shell",
    session: "here",
    on_unknown: "keep",
    knowsTarget: (name) => names.has(name),
    newMsgId: () => "unused",
  });
  const feed = (msg_type: string, comm_id: string) => {
    const header = newHeader(msg_type, { msg_id: "m", session: "there", now_ms: 0 });
    const content = { comm_id, target_name: "t", data: {} };
    router.receive(newMessage("iopub", header, { content }), 0);
    return router.events().map(({ type }) => type);
  };
  expect(feed("comm_open", "c1")).toEqual([]);
  expect(feed("comm_msg", "c1")).toEqual([]);
  expect(feed("comm_open", "c1")).toEqual(["fault"]);
  expect(feed("comm_open", "c2")).toEqual([]);
  expect(feed("comm_close", "c2")).toEqual([]); // nobody here has seen it
  expect(feed("comm_open", "c2")).toEqual(["fault"]);
  names.add("t");
  router.release("t", 0);
  expect(router.events().map(({ type }) => type)).toEqual(["opened", "received"]);
  expect(router.messagesToSend()).toEqual([]);
  names.clear();
  feed("comm_open", "c3");
  router.lose("gone");
  expect(router.events().map(({ type }) => type)).toEqual(["lost"]); // c1
  router.release("t", 0);
  expect(router.events()).toEqual([]);
});
