import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { make_jupyter } from "../../src/classic/jupyter.js";
import { page_target_loader } from "../../src/classic/target_module.js";
import type { LoadClassicTarget } from "../../src/classic/types.js";
import { UnknownTarget } from "../../src/errors.js";
import { connected } from "../frontend/kernel_end.js";
import type { ModuleFiles } from "./module_files.js";
import { amdAt, serveFiles } from "./module_files.js";

let served: ModuleFiles;

beforeAll(async () => {
  served = await serveFiles();
});
afterAll(() => served.stop());
beforeEach(() => {
  served.files.clear();
  served.asked.length = 0;
});

function loader() {
  const { amd } = amdAt(served.url);
  const base_url = `${served.url}notebooks/a.ipynb`;
  return { amd, load: page_target_loader({ amd, base_url }) };
}

const esModule = (text: string) => `data:text/javascript,${encodeURIComponent(text)}`;

/** The target's answer, to see which function was found. */
async function answer(load: LoadClassicTarget, target_module: string): Promise<unknown> {
  const target = await load(target_module, "t");
  return (target as () => unknown)();
}

async function refusal(load: LoadClassicTarget, target_module: string): Promise<string> {
  const error: unknown = await load(target_module, "t").catch((one: unknown) => one);
  expect(error).toBeInstanceOf(UnknownTarget);
  return (error as Error).message;
}

describe("an ES module's target is", () => {
  it.each([
    ["the export called like it", "export const t = () => 1; export default () => 2;", 1],
    ["the default export", "export default () => 2; export const other = () => 3;", 2],
    ["what the default export has under its name", "export default { t: () => 4 };", 4],
  ])("%s", async (_which, text, wanted) => {
    expect(await answer(loader().load, esModule(text))).toBe(wanted);
  });
});

describe("an AMD module's target is", () => {
  it.each([
    ["the property called like it", "define({ t: () => 1, default: () => 2 });", 1],
    ["the property called default", "define({ default: () => 2 });", 2],
    ["the module itself", "define([], () => () => 3);", 3],
  ])("%s", async (_which, text, wanted) => {
    served.files.set("m.js", text);
    expect(await answer(loader().load, "/m.js")).toBe(wanted);
  });
});

describe("an address", () => {
  it.each(["/lib/m.js", "../lib/m.js", "./../lib/m.js", "../lib/m.js?v=1"])(
    "as %s is relative to the page",
    async (address) => {
      served.files.set("lib/m.js", "define({ t: () => 'found' });");
      served.files.set("lib/m.js?v=1", "define({ t: () => 'found' });");
      expect(await answer(loader().load, address)).toBe("found");
    },
  );

  it("may be a whole one, or a plain path with an ending", async () => {
    served.files.set("m.js", "define({ t: () => 1 });");
    served.files.set("notebooks/lib/m.js", "define({ t: () => 2 });");
    expect(await answer(loader().load, `${served.url}m.js`)).toBe(1);
    expect(await answer(loader().load, "lib/m.js")).toBe(2);
  });

  it("of a UMD file is not run as an ES module, which would make a global", async () => {
    const umd = `(function (root, factory) {
      if (typeof define === "function" && define.amd) define([], factory);
      else globalThis.umdGlobal = factory();
    })(this, function () { return { t: () => "umd" }; });`;
    served.files.set("umd.js", umd);
    expect(await answer(loader().load, "/umd.js")).toBe("umd");
    expect("umdGlobal" in globalThis).toBe(false);
  });

  it("that can be imported and not fetched is imported", async () => {
    const url = new URL("./module_files.ts", import.meta.url).href;
    expect(await refusal(loader().load, url)).toContain('it exports "');
  });
});

describe("a plain name", () => {
  it("is looked for among defined modules, configured paths and files", async () => {
    served.files.set("vendor/x-1.js", "define({ t: () => 'configured' });");
    served.files.set("nbextensions/x.js", "define({ t: () => 'file' });");
    const { amd, load } = loader();
    amd.define("defined", [], () => ({ t: () => "defined" }));
    amd.require.config({ paths: { x: "vendor/x-1" } });
    expect(await answer(load, "defined")).toBe("defined");
    expect(await answer(load, "x")).toBe("configured");
    expect(await answer(load, "nbextensions/x")).toBe("file");
  });

  it("that RequireJS does not find is imported", async () => {
    const load = page_target_loader(); // no AMD at all
    expect(await refusal(load, "vitest")).toContain(
      "RequireJS: not offered by this page; import(): ",
    );
    expect(await refusal(loader().load, "vitest")).toContain('it exports "');
  });
});

describe("an error names the module, what was tried and why it failed:", () => {
  it("no such file", async () => {
    expect(await refusal(loader().load, "/gone.js")).toBe(
      `target "t" in module "/gone.js": ${served.url}gone.js: HTTP status 404`,
    );
  });

  it("a relative address where nothing says relative to what", async () => {
    expect(await refusal(page_target_loader(), "./m.js")).toMatch(/"\.\/m\.js": Invalid URL/);
  });

  it("no such name", async () => {
    const message = await refusal(loader().load, "gone");
    expect(message).toContain('target "t" in module "gone": RequireJS: module "gone" from');
    expect(message).toMatch(/HTTP status 404; import\(\): ./);
  });

  it("a server that is not there", async () => {
    const stopped = await serveFiles();
    await stopped.stop();
    expect(await refusal(loader().load, `${stopped.url}m.js`)).toMatch(/import\(\): ./);
  });

  it("a module that throws", async () => {
    const text = esModule("export const t = 1; throw new Error('at its top');");
    expect(await refusal(loader().load, text)).toContain("import(): at its top");
  });

  it.each([
    ["an ES module", () => esModule("export const a = 1, b = () => 2;"), 'it exports "a", "b"'],
    ["an AMD module", () => "/amd.js", 'it exports "a"'],
    ["nothing", () => "/empty.js", "it exports nothing"],
    ["a file without define", () => "/none.js", "the module is undefined"],
  ])("no target among what is exported by %s", async (_what, target_module, wanted) => {
    served.files.set("amd.js", "define({ a: 1 });");
    served.files.set("empty.js", "define({});");
    served.files.set("none.js", "var nothing = 1;");
    const message = await refusal(loader().load, target_module());
    expect(message).toContain(wanted);
  });

  it("no AMD on this page", async () => {
    served.files.set("m.js", "define({ t: () => 1 });");
    const load = page_target_loader({ base_url: served.url });
    expect(await refusal(load, "./m.js")).toContain("RequireJS: not offered by this page");
  });

  it("what every object inherits is no export", async () => {
    served.files.set("m.js", "define({ a: 1 });");
    await expect(loader().load("/m.js", "toString")).rejects.toThrow('exports "a"');
  });
});

describe("make_jupyter", () => {
  it("gives a module's target the classic comm, and the messages that came meanwhile", async () => {
    const { frontend, kernel, errors } = await connected();
    const seen = new Promise((resolve) => Object.assign(globalThis, { seenByModule: resolve }));
    served.files.set(
      "m.js",
      `define({ t: function (comm, msg) {
        comm.on_msg(function (m) {
          const sent = comm.send({ back: m.content.data.n }, {}, { m: 1 }, [new ArrayBuffer(2)]);
          globalThis.seenByModule([msg.content.data, m.buffers, sent]);
        });
      } });`,
    );
    make_jupyter(frontend, { load_target: loader().load });
    const target_module = `${served.url}m.js`;
    kernel.send("iopub", "comm_open", {
      comm_id: "c",
      target_name: "t",
      target_module,
      data: { x: 1 },
    });
    kernel.send("iopub", "comm_msg", { comm_id: "c", data: { n: 2 } });
    const [opened, buffers, sent] = (await seen) as unknown[];
    const reply = kernel.request("comm_msg");
    expect([opened, buffers, sent]).toEqual([{ x: 1 }, [], reply.header.msg_id]);
    expect(reply).toMatchObject({ content: { data: { back: 2 } }, metadata: { m: 1 } });
    expect(reply.buffers[0]?.byteLength).toBe(2);
    expect(errors).toEqual([]);
    Reflect.deleteProperty(globalThis, "seenByModule");
  });
});
