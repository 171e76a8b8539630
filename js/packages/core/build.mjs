// Bundle the package: ESM for Node and bundlers in dist/, one file for pages that load it directly.
import { build } from "esbuild";
import { fileURLToPath } from "node:url";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const common = {
  bundle: true,
  format: "esm",
  target: "es2022",
  platform: "neutral",
  logLevel: "warning",
};

await build({
  ...common,
  entryPoints: { index: here("src/index.ts"), wire: here("src/wire/index.ts") },
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
