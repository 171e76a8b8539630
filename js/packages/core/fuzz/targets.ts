/**
 * Invariant of every target: whatever the bytes, a decoder returns a message or throws an error that the
 * peer is to blame for (`RemoteProtocolError`), soon; and what it returns encodes to something that decodes
 * to the same. The same, as JSON: where a peer wrote 1e999 JavaScript reads Infinity, which JSON has not.
 */
import { deepStrictEqual } from "node:assert";
import { readFileSync, readdirSync } from "node:fs";
import { RemoteProtocolError } from "../src/errors.js";
import { restoreData } from "../src/protocol/buffers.js";
import type { JsonObject, Message } from "../src/protocol/messages.js";
import { newHeader, newMessage } from "../src/protocol/messages.js";
import { Router } from "../src/protocol/routing.js";
import { Signer } from "../src/wire/signing.js";
import * as wsDefault from "../src/wire/ws_default.js";
import * as wsV1 from "../src/wire/ws_v1.js";
import * as zmq from "../src/wire/zmq.js";

export interface Target {
  /** Inputs to start from. */
  seeds(): Uint8Array[];
  /** Run one input; throws what breaks the invariant. */
  run(input: Uint8Array): "accepted" | "refused";
}

interface Vector {
  frames?: string[];
  text?: string;
  sent?: { data: JsonObject; metadata: JsonObject; buffers: string[] };
  steps?: { receive?: { msg_type: string; content: JsonObject } }[];
}

const utf8 = new TextEncoder();
const bytes = (hex: string) => new Uint8Array(Buffer.from(hex, "hex"));
const json = (value: unknown) => utf8.encode(JSON.stringify(value));

export const targets: Record<string, Target> = {
  ws_v1: {
    seeds: () => vectors("ws-v1").map((one) => bytes(one.frames?.[0] ?? "")),
    run: (input) =>
      decoding(
        () => wsV1.decode(input),
        (message) => wsV1.decode(wsV1.encode(message)),
      ),
  },
  ws_default: {
    // The first byte says whether the rest is a text frame or a binary one.
    seeds: () =>
      vectors("ws-default").map(({ frames, text }) =>
        text === undefined
          ? Uint8Array.of(0, ...bytes(frames?.[0] ?? ""))
          : Uint8Array.of(1, ...utf8.encode(text)),
      ),
    run: (input) => {
      const rest = input.subarray(1);
      const frame = input[0] === 1 ? Buffer.from(rest).toString("utf8") : rest;
      return decoding(
        () => wsDefault.decode(frame),
        (message) => wsDefault.decode(wsDefault.encode(message)),
      );
    },
  },
  zmq: {
    // Frames one after the other, each after its length in one byte, or in four after 255.
    seeds: () => vectors("zmq").map(({ frames = [] }) => packed(frames.map(bytes))),
    run: (input) => {
      const signer = new Signer("");
      return decoding(
        () => zmq.decode(unpacked(input), "shell", signer),
        (message) => zmq.decode(zmq.encode(message, signer), "shell", signer),
      );
    },
  },
  signature: {
    seeds: () => vectors("zmq").map(({ frames = [] }) => packed(frames.map(bytes))),
    run: (input) => {
      const signer = new Signer("secret");
      const frames = unpacked(input);
      const outcome = decoding(() => zmq.decode(frames, "shell", signer));
      if (outcome === "accepted") throw new Error("a message signed with another key was accepted");
      return outcome;
    },
  },
  buffers: {
    seeds: () => vectors("buffers").flatMap(({ sent }) => (sent === undefined ? [] : [json(sent)])),
    run: (input) => {
      const sent = parsed(input) as Vector["sent"] | null;
      if (!isObject(sent?.data) || !isObject(sent.metadata)) return "refused";
      const views = Array.isArray(sent.buffers)
        ? sent.buffers.map((one: unknown) => bytes(String(one)))
        : [];
      return decoding(() => restoreData(sent.data, sent.metadata, views));
    },
  },
  comm: {
    seeds: () => vectors("comm").map(({ steps = [] }) => json(steps.map((step) => step.receive))),
    run: (input) => {
      const messages = parsed(input);
      if (!Array.isArray(messages)) return "refused";
      const faults = received(messages.filter(isObject));
      return faults === 0 ? "accepted" : "refused";
    },
  },
};

function decoding<T>(decode: () => T, again?: (value: T) => T): "accepted" | "refused" {
  let value: T;
  try {
    value = decode();
  } catch (error) {
    if (error instanceof RemoteProtocolError) return "refused";
    throw error;
  }
  if (again !== undefined) deepStrictEqual(plain(again(value)), plain(value));
  return "accepted";
}

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

/** Feed a router everything; nothing may throw. Returns how many faults it saw. */
function received(messages: JsonObject[]): number {
  let sent = 0;
  const router = new Router({
    channel: "iopub",
    session: "s",
    on_unknown: "close",
    knowsTarget: (name) => name === "t",
    newMsgId: () => `m${++sent}`,
  });
  for (const { msg_type, content } of messages) {
    const header = newHeader(String(msg_type), { msg_id: "p", session: "peer", now_ms: 0 });
    const message: Message = newMessage("shell", header, {
      content: isObject(content) ? content : {},
    });
    router.receive(message, 0);
  }
  return router.events().filter(({ type }) => type === "fault").length;
}

function vectors(folder: string): Vector[] {
  const root = new URL(`../../../../spec/vectors/${folder}/`, SPEC_BASE);
  return ["valid", "invalid"].flatMap((kind) =>
    readdirSync(new URL(`${kind}/`, root)).map((name) => {
      return JSON.parse(readFileSync(new URL(`${kind}/${name}`, root), "utf8")) as Vector;
    }),
  );
}

/** Where this file is; the bundle that runs it is elsewhere. */
declare const SPEC_BASE: string;

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parsed(input: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(input).toString("utf8")) as unknown;
  } catch {
    return null;
  }
}

function packed(frames: Uint8Array[]): Uint8Array {
  const parts = frames.flatMap((frame) => {
    const length = frame.byteLength;
    const head = Buffer.alloc(length < 255 ? 1 : 5, 255);
    if (length < 255) head[0] = length;
    else head.writeUInt32BE(length, 1);
    return [head, frame];
  });
  return new Uint8Array(Buffer.concat(parts));
}

function unpacked(input: Uint8Array): Uint8Array[] {
  const frames: Uint8Array[] = [];
  const view = Buffer.from(input.buffer, input.byteOffset, input.byteLength);
  for (let at = 0; at < input.byteLength;) {
    const isLong = view[at] === 255 && at + 5 <= input.byteLength;
    const length = isLong ? view.readUInt32BE(at + 1) : (view[at] ?? 0);
    at += isLong ? 5 : 1;
    frames.push(input.subarray(at, at + length));
    at += length;
  }
  return frames;
}
