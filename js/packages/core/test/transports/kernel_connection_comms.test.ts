import { expect, it } from "vitest";
import { SharedComms } from "../../src/transports/kernel_connection_comms.js";
import { Connection, PublicConnection } from "../lab_connection.js";
import { settled } from "../pair.js";

/** What we have: comms by id, targets by name. */
const ours = ({ comms = [], targets = [] }: { comms?: string[]; targets?: string[] } = {}) => ({
  isRegistered: (name: string) => targets.includes(name),
  knows: (comm_id: string) => comms.includes(comm_id),
});

it("leaves a target of a widget library to JupyterLab, close included", async () => {
  const connection = new Connection();
  connection._targetRegistry["jupyter.widget"] = () => undefined;
  const shared = new SharedComms(connection, ours());
  expect(shared.claims("jupyter.widget", null)).toBe(false);
  await connection.opens("w1", "jupyter.widget");
  await connection.closes("w1");
  expect(connection.handled).toEqual(["open w1", "close w1"]);
});

it("keeps a target that nobody has registered yet from JupyterLab, which would close it", async () => {
  const connection = new Connection();
  const shared = new SharedComms(connection, ours({ comms: ["c1"] }));
  expect(shared.claims("later", null)).toBe(true);
  await connection.opens("c1", "later");
  await connection.closes("c1");
  expect(connection.handled).toEqual([]);
});

it("takes every open with a module: JupyterLab would look for a global requirejs", () => {
  const connection = new Connection();
  connection._targetRegistry.t = () => undefined;
  expect(new SharedComms(connection, ours()).claims("t", "a.js")).toBe(true);
});

it("gives the connection its own handlers back", async () => {
  const connection = new Connection();
  const shared = new SharedComms(connection, ours({ comms: ["c1"] }));
  shared.dispose();
  await connection.opens("c1", "later");
  expect(connection.handled).toEqual(["open c1"]);
  expect(Object.keys(connection)).not.toContain("_handleCommOpen");
});

it("uses the public registry where the private members are missing, off subshells", async () => {
  const connection = new PublicConnection();
  const shared = new SharedComms(connection, ours({ targets: ["ours"] }));
  expect(shared.claims("ours", null)).toBe(true);
  shared.claims("not-registered", null);
  await settled();
  expect(connection.registered).toEqual(["ours"]);
  expect(connection.comms[0]?.commsOverSubshells).toBe("disabled");
  expect(shared.isForeign("ours")).toBe(false);
});
