// Bundle the package: ESM for Node and bundlers in dist/, one file for pages that load it directly.
import { build, transform } from "esbuild";
import { readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const common = {
  bundle: true,
  format: "esm",
  target: "es2022",
  platform: "neutral",
  logLevel: "warning",
};

// Chunks are named by content: those of earlier builds would pile up.
const chunks = readdirSync(here("dist/")).filter((name) => name.startsWith("chunk-"));
for (const name of chunks) rmSync(here(`dist/${name}`));
await build({
  ...common,
  entryPoints: {
    index: here("src/index.ts"),
    hosts: here("src/hosts.ts"),
    wire: here("src/wire/index.ts"),
  },
  outdir: here("dist"),
  splitting: true,
  sourcemap: true,
  chunkNames: "chunk-[hash]",
});
await build({
  ...common,
  entryPoints: [here("src/index.ts")],
  outfile: here("../../../src/tsushin/server/static/tsushin.js"),
  minify: true,
});

// Pages load it beside tsushin.js when a script needs it. Its licence goes with every copy; the npm package
// has only a line of it.
const licence = readFileSync(here("requirejs.licence.txt"), "utf8");
const requirejs = createRequire(import.meta.url).resolve("requirejs/require.js");
const { code } = await transform(readFileSync(requirejs, "utf8"), { minify: true });
writeFileSync(here("../../../src/tsushin/server/static/require.js"), `/*!\n${licence}*/\n${code}`);
