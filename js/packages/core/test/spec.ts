/** The language-neutral truth in `spec/`, read from the repository. */
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

const ROOT = new URL("../../../../spec/", import.meta.url);

/** Read `spec/<path>` as JSON; the caller names the shape it expects. */
export function readSpec(path: string): unknown {
  return JSON.parse(readFileSync(new URL(path, ROOT), "utf8")) as unknown;
}

/** List every vector below `spec/vectors/<folder>/<kind>` by path, sorted. */
export function vectorPaths(folder: string, kind: "valid" | "invalid"): string[] {
  const below = `vectors/${folder}/${kind}/`;
  const names = readdirSync(fileURLToPath(new URL(below, ROOT)));
  return names
    .filter((name) => name.endsWith(".json"))
    .sort()
    .map((name) => below + name);
}
