import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { expect, it } from "vitest";

const source = (path: string) => fileURLToPath(new URL(`../src/${path}`, import.meta.url));

async function bundle(path: string): Promise<{ text: string; inputs: string[] }> {
  const options = { bundle: true, format: "esm", platform: "neutral", write: false } as const;
  const { outputFiles, metafile } = await build({
    ...options,
    entryPoints: [source(path)],
    metafile: true,
  });
  return { text: outputFiles[0]?.text ?? "", inputs: Object.keys(metafile.inputs) };
}

it("has no dependency: every module of the bundle is our own", async () => {
  const { inputs } = await bundle("index.ts");
  expect(inputs.filter((path) => path.includes("node_modules"))).toEqual([]);
});

it("leaves the import of target modules to the page, and tells other bundlers to", async () => {
  const { text } = await bundle("index.ts");
  expect(text).toMatch(
    /import\(\s*\/\* webpackIgnore: true \*\/\s*\/\* @vite-ignore \*\/\s*\w+\s*\)/,
  );
});

it("leaves ZMQ and its signatures out of what a page loads", async () => {
  expect((await bundle("index.ts")).text).not.toMatch(/IDS\|MSG|hmac-sha/);
  expect((await bundle("wire/index.ts")).text).toMatch(/IDS\|MSG/);
});
