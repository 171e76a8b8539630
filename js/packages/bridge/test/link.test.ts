import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Link } from "../src/link.js";
import { Model } from "./model.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const open = () => new Link({ kernel_id: "k1", on_change: () => undefined });

it("is connected by the kernel's welcome, and carries the comms of `Jupyter`", () => {
  const [link, model] = [open(), new Model("k1")];
  link.add(model);
  expect(link.state).toBe("waiting");
  model.welcome();
  link.Jupyter.notebook.kernel.comm_manager.new_comm("target", { a: 1 });
  expect([link.state, link.Jupyter.notebook.kernel.id]).toEqual(["connected", "k1"]);
  expect(JSON.stringify(model.posted.at(-1))).toContain('"target_name":"target"');
});

it("says hello once, however many models of the kernel there are", () => {
  const [link, first, second] = [open(), new Model("k1"), new Model("k1")];
  link.add(first);
  link.add(second);
  expect([first.posted.length, second.posted.length]).toEqual([1, 0]);
});

it("goes on by the other model when the one in use leaves", () => {
  const [link, first, second] = [open(), new Model("k1"), new Model("k1")];
  const leave = link.add(first);
  link.add(second);
  leave();
  expect(second.posted[0]).toMatchObject({ hello: true });
});

it("waits for a new model before it gives up", () => {
  const [link, first, second] = [open(), new Model("k1"), new Model("k1")];
  link.add(first)();
  vi.advanceTimersByTime(4000);
  link.add(second);
  vi.advanceTimersByTime(4000);
  second.welcome();
  expect(link.state).toBe("connected");
});

it("is gone when no model comes: its comms are lost", () => {
  const [link, model] = [open(), new Model("k1")];
  const leave = link.add(model);
  model.welcome();
  const comm = link.frontend.comm_manager.new_comm("target");
  leave();
  vi.advanceTimersByTime(6000);
  expect([link.state, comm.closed]).toEqual(["gone", true]);
});

it("asks for the kernel's session once it is connected, and again by another model", () => {
  const [link, first, second] = [open(), new Model("k1"), new Model("k1")];
  const leave = link.add(first);
  const asked = ({ posted }: Model) =>
    posted.filter((one) => JSON.stringify(one).includes('"comm_info_request"'));
  expect(asked(first)).toEqual([]);
  first.welcome();
  expect(asked(first)).toHaveLength(1);
  expect(JSON.stringify(asked(first))).toContain('"target_name":"tsushin.session"');
  link.add(second);
  leave();
  second.welcome();
  expect(asked(second)).toHaveLength(1);
});
