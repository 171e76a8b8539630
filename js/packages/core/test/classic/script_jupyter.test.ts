import { expect, it } from "vitest";
import { make_jupyter } from "../../src/classic/jupyter.js";
import { PageMemory } from "../../src/classic/page_memory.js";
import type { PageStorage } from "../../src/classic/page_memory.js";
import { script_jupyter } from "../../src/classic/script_jupyter.js";
import { connected } from "../frontend/kernel_end.js";
import { tabs } from "../storage.js";

/** A page that was just loaded. */
async function page(storage: PageStorage) {
  const { frontend, kernel } = await connected();
  const jupyter = make_jupyter(frontend, { memory: new PageMemory("a.ipynb", storage) });
  const run = (code: string) => script_jupyter(jupyter, code).notebook.kernel.comm_manager;
  return { jupyter, kernel, run };
}

it("goes on with the comm that the same call of the same script opened before a reload", async () => {
  const [tab] = tabs(1);
  const script = (await page(tab)).run("code");
  const [first, second] = [script.new_comm("t").comm_id, script.new_comm("t").comm_id];
  const again = (await page(tab)).run("code");
  expect([again.new_comm("t").comm_id, again.new_comm("t").comm_id]).toEqual([first, second]);
});

it("opens anew for another script, a script run again, and an id that was asked for", async () => {
  const [tab] = tabs(1);
  const first = (await page(tab)).run("code").new_comm("t").comm_id;
  const reloaded = await page(tab);
  expect(reloaded.run("other").new_comm("t").comm_id).not.toBe(first);
  expect(reloaded.run("code").new_comm("t", {}, null, null, "mine").comm_id).toBe("mine");
  expect(reloaded.run("code").new_comm("t").comm_id).toBe(first);
  expect(reloaded.run("code").new_comm("t").comm_id).not.toBe(first);
});

it("opens anew where the page closed the comm before the reload", async () => {
  const [tab] = tabs(1);
  const comm = (await page(tab)).run("code").new_comm("t");
  comm.close();
  expect((await page(tab)).run("code").new_comm("t").comm_id).not.toBe(comm.comm_id);
});

it("is the same object otherwise: what a script sets on it, others see", async () => {
  const [tab] = tabs(1);
  const { jupyter, kernel } = await page(tab);
  const mine = script_jupyter(jupyter, "code") as typeof jupyter & { shared?: string };
  mine.shared = "x";
  expect((script_jupyter(jupyter, "other") as typeof mine).shared).toBe("x");
  expect(mine.notebook.kernel.id).toBe("k1");
  mine.notebook.kernel.execute("1 + 1");
  expect(kernel.request("execute_request").content.code).toBe("1 + 1");
  mine.notebook.kernel.comm_manager.register_target("t", () => undefined);
  expect(Object.keys(jupyter.notebook.kernel.comm_manager.targets)).toEqual(["t"]);
});
