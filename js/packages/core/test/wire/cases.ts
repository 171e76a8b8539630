/** Vectors of the three carriers as the tests use them; the format is in spec/vectors/README.md. */
import { expect } from "vitest";
import { TsushinError } from "../../src/errors.js";
import { byteView } from "../../src/protocol/views.js";
import { DEFAULT_LIMITS } from "../../src/protocol/limits.js";
import type { Limits } from "../../src/protocol/limits.js";
import type { Message } from "../../src/protocol/messages.js";
import { newMessage } from "../../src/protocol/messages.js";
import { bytes, hex } from "../hex.js";
import { readSpec, vectorPaths } from "../spec.js";

type Kind = "uint8" | "uint16" | "float32" | "float64";
type BufferCase = string | { memory: string; start: number; nbytes: number; kind: Kind };
type MessageCase = Omit<Message, "buffers" | "identities"> & {
  buffers: BufferCase[];
  identities: string[];
};

export interface Case {
  name: string;
  flags: string[];
  frames?: string[];
  text?: string;
  message: MessageCase;
  error: { code: string; part?: string; offset?: number | null; limit?: string };
  limits?: Partial<Limits>;
  key: string;
  scheme: string;
  repeat?: number;
}

/** Read every case of one folder. */
export function cases(folder: string, kind: "valid" | "invalid"): Case[] {
  return vectorPaths(folder, kind).map((path) => {
    const name = path.slice(path.lastIndexOf("/") + 1, -".json".length);
    return { ...(readSpec(path) as Case), name };
  });
}

export function limitsOf(given: Case): Limits {
  return { ...DEFAULT_LIMITS, ...given.limits };
}

const ARRAYS = {
  uint8: Uint8Array,
  uint16: Uint16Array,
  float32: Float32Array,
  float64: Float64Array,
};

function buffer(given: BufferCase): Uint8Array {
  if (typeof given === "string") return bytes(given);
  const array = ARRAYS[given.kind];
  const count = given.nbytes / array.BYTES_PER_ELEMENT;
  return byteView(new array(bytes(given.memory).buffer, given.start, count));
}

/** Build the message of a valid case; views into larger memory stay such views. */
export function messageOf({ message }: Case): Message {
  const { channel, header, ...rest } = message;
  return newMessage(channel, header, {
    ...rest,
    buffers: message.buffers.map(buffer),
    identities: message.identities.map(bytes),
  });
}

/** Assert that two messages are equal; integers beyond 2^53 - 1 are what JavaScript reads anyway. */
export function expectSame(actual: Message, expected: Message): void {
  const comparable = (message: Message) => ({
    ...message,
    buffers: message.buffers.map(hex),
    identities: message.identities.map(hex),
  });
  expect(comparable(actual)).toEqual(comparable(expected));
}

/** Run an invalid case: it throws its error, or, where the JSON parser decides, may pass. */
export function expectRefused(given: Case, attempt: () => unknown): void {
  let thrown: unknown = null;
  try {
    attempt();
  } catch (error) {
    thrown = error;
  }
  if (thrown === null && given.flags.includes("json-parser")) return;
  expect(thrown).toBeInstanceOf(TsushinError);
  expect(thrown).toMatchObject(given.error);
}
