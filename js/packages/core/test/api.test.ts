import { describe, expect, it } from "vitest";
import { DEFAULT_TIMEOUT } from "../src/expected.js";
import { Frontend } from "../src/frontend/frontend.js";
import * as tsushin from "../src/index.js";
import { MemoryTransport } from "../src/transports/memory.js";
import { commPair } from "./pair.js";
import { readSpec } from "./spec.js";

interface Parameter {
  name: string;
  default?: unknown;
}
interface Entry {
  name: string;
  kind: "class" | "method" | "attribute" | "function" | "error";
  in: string[];
  parameters?: Parameter[];
}

const { names } = readSpec("api.json") as { names: Entry[] };
const inTypeScript = names.filter((entry) => entry.in.includes("typescript"));
// Users get a Frontend by `connect`; its class is exported as a type.
const exported: Record<string, unknown> = { ...tsushin, Frontend };

/** The constants behind the default timeouts, by their seconds. */
const TIMEOUTS = new Map<unknown, string>([
  [DEFAULT_TIMEOUT, "DEFAULT_TIMEOUT"],
  [60, "RESTART_TIMEOUT"],
]);

/** What `name` stands for: an export, or a member of what an exported class makes. */
function found(name: string): unknown {
  const [owner = "", member] = name.split(".");
  if (member === undefined) return exported[owner];
  const { manager } = commPair().kernel;
  const frontend = new Frontend(MemoryTransport.pair()[0], {
    kernel_id: "k",
    on_unknown: "ignore",
  });
  const instances: Record<string, object> = {
    CommManager: manager,
    Comm: manager.new_comm("t"),
    Frontend: frontend,
  };
  const instance = instances[owner];
  return instance !== undefined && member in instance
    ? (instance as Record<string, unknown>)[member]
    : (exported[owner] as { prototype: Record<string, unknown> }).prototype[member];
}

/** Read the parameters of a function from its own text; a class is its constructor. */
function parametersOf(f: unknown): { name: string; default: string | null }[] {
  const text = String(f);
  const start = text.startsWith("class") ? text.indexOf("constructor(") : 0;
  const list = text.slice(text.indexOf("(", start) + 1, text.indexOf(") {", start));
  const parts = list.split(/,\s*(?![^{]*\})/).filter((part) => part.trim() !== "");
  return parts.map((part) => {
    const [name = "", value = null] = part.split(/\s*=\s*(.*)/s);
    return { name: name.trim(), default: value };
  });
}

describe.each(inTypeScript.filter((entry) => entry.kind !== "attribute"))("$name", (entry) => {
  it("exists", () => {
    expect(found(entry.name)).toBeTypeOf("function");
  });
});

describe.each(inTypeScript.filter((entry) => entry.parameters !== undefined))("$name", (entry) => {
  const wanted = entry.parameters ?? [];
  const actual = parametersOf(found(entry.name));

  it("takes the parameters of spec/api.json, in their order", () => {
    expect(actual.slice(0, wanted.length).map((one) => one.name)).toEqual(
      wanted.map((one) => one.name),
    );
    // What is keyword-only in Python is one last object here.
    const rest = actual.slice(wanted.length).map((one) => one.name);
    expect(rest.every((name) => name === "options" || name.startsWith("{"))).toBe(true);
  });

  it("has their defaults", () => {
    const literal = (value: unknown) => JSON.stringify(value);
    wanted.forEach((parameter, i) => {
      const given = actual[i]?.default ?? null;
      const name = TIMEOUTS.get(parameter.default);
      if (name !== undefined) expect(given).toMatch(new RegExp(`\\b${name}$`));
      else if (given !== null) expect(given).toBe(literal(parameter.default));
    });
  });
});

it.each(inTypeScript.filter((entry) => entry.kind === "attribute"))("$name exists", ({ name }) => {
  expect(found(name)).not.toBeUndefined();
});

it("has no public member of Comm, CommManager or Frontend that spec/api.json lacks", () => {
  const forHosts = [
    "runtime",
    "limits",
    "openComm",
    "sendComm",
    "closeComm",
    "mayAnswer",
    "mayHaveHeard",
    "cancelRequest",
    "checkLive",
    "deliver",
    "madeUp",
    "restorable",
    "_sendSnapshot",
    "creditRequest",
    "receive",
    "lose",
    "knows",
  ];
  const forConnect = ["request", "watch", "forget", "handshake", "kernel_gone", "look"];
  const others = [...forHosts, ...forConnect, "comm_info", "next_msg_id", "constructor"];
  const own = ["toString", "toJSON", "dispose"];
  const listed = inTypeScript.map((entry) => entry.name);
  for (const name of ["Comm", "CommManager", "Frontend"]) {
    const { prototype } = exported[name] as { prototype: object };
    const members = Object.getOwnPropertyNames(prototype).filter((one) => !own.includes(one));
    const unlisted = members.filter((one) => !listed.includes(`${name}.${one}`));
    expect(unlisted.filter((one) => !others.includes(one))).toEqual([]);
  }
});
