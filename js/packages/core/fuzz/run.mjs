// Mutated vectors into one decoder, or into each: node fuzz/run.mjs [--target ws_v1] [--seconds 10] [--seed 1]
import { build } from "esbuild";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

const SLOW_MS = 1000; // an input that takes longer is a finding

const { values } = parseArgs({
  options: {
    target: { type: "string" },
    seconds: { type: "string", default: "10" },
    seed: { type: "string", default: String(Date.now() % 2 ** 31) },
  },
});

const { targets, Random, mutated } = await load();
const names = values.target === undefined ? Object.keys(targets) : [values.target];
for (const name of names)
  if (!(name in targets)) throw new Error(`no target ${name}: ${Object.keys(targets)}`);
const found = names.map((name) => fuzz(name, Number(values.seconds), Number(values.seed)));
process.exitCode = found.includes(true) ? 1 : 0;

/** Node runs no TypeScript: bundle it first. */
async function load() {
  const folder = mkdtempSync(join(tmpdir(), "tsushin-fuzz-"));
  const outfile = join(folder, "targets.mjs");
  await build({
    stdin: {
      contents: 'export * from "./targets.ts"; export * from "./mutate.ts";',
      resolveDir: fileURLToPath(new URL(".", import.meta.url)),
    },
    bundle: true,
    format: "esm",
    platform: "node",
    outfile,
    define: { SPEC_BASE: JSON.stringify(new URL("targets.ts", import.meta.url).href) },
  });
  try {
    return await import(pathToFileURL(outfile).href);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Run one target for a while; print what came of it, and return whether there is a finding. */
function fuzz(name, seconds, seed) {
  const target = targets[name];
  const seeds = target.seeds();
  const random = new Random(seed);
  const counts = { accepted: 0, refused: 0 };
  const until = performance.now() + seconds * 1000;
  for (let now = performance.now(); now < until;) {
    const input = mutated(seeds, random);
    try {
      counts[target.run(input)] += 1;
    } catch (error) {
      return report(name, seed, input, error);
    }
    const before = now;
    now = performance.now();
    if (now - before > SLOW_MS)
      return report(name, seed, input, new Error(`took ${now - before} ms`));
  }
  console.log(`${name}: seed ${seed}, ${seconds} s, ${JSON.stringify(counts)}, no finding`);
  return false;
}

function report(name, seed, input, error) {
  console.log(`${name}: seed ${seed}, FINDING`);
  console.log(error);
  console.log(`input: ${Buffer.from(input).toString("hex")}`);
  return true;
}
