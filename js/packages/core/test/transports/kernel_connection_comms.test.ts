import { expect, it } from "vitest";
import { SharedComms } from "../../src/transports/kernel_connection_comms.js";
import { Connection, PublicConnection } from "../lab_connection.js";
import { settled } from "../pair.js";

const nobody = () => false;

it("leaves a target of a widget library to JupyterLab, close included", async () => {
  const connection = new Connection();
  connection._targetRegistry["jupyter.widget"] = () => undefined;
  const shared = new SharedComms(connection, nobody);
  expect(shared.claims("w1", "jupyter.widget", null)).toBe(false);
  await connection.opens("w1", "jupyter.widget");
  await connection.closes("w1");
  expect(connection.handled).toEqual(["open w1", "close w1"]);
});

it("keeps a target that nobody has registered yet from JupyterLab, which would close it", async () => {
  const connection = new Connection();
  const shared = new SharedComms(connection, nobody);
  expect(shared.claims("c1", "later", null)).toBe(true);
  await connection.opens("c1", "later");
  await connection.closes("c1");
  expect(connection.handled).toEqual([]);
});

it("takes every open with a module: JupyterLab would look for a global requirejs", () => {
  const connection = new Connection();
  connection._targetRegistry.t = () => undefined;
  expect(new SharedComms(connection, nobody).claims("c1", "t", "a.js")).toBe(true);
});

it("gives the connection its own handlers back", async () => {
  const connection = new Connection();
  const shared = new SharedComms(connection, nobody);
  shared.claims("c1", "later", null);
  shared.dispose();
  await connection.opens("c1", "later");
  expect(connection.handled).toEqual(["open c1"]);
  expect(Object.keys(connection)).not.toContain("_handleCommOpen");
});

it("uses the public registry where the private members are missing, off subshells", async () => {
  const connection = new PublicConnection();
  const shared = new SharedComms(connection, (name) => name === "ours");
  expect(shared.claims("c1", "ours", null)).toBe(true);
  shared.claims("c2", "not-registered", null);
  await settled();
  expect(connection.registered).toEqual(["ours"]);
  expect(connection.comms[0]?.commsOverSubshells).toBe("disabled");
  expect(shared.isForeign("ours")).toBe(false);
});
