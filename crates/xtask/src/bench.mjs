// Runs one benchmark of the built engine under Node: node bench.mjs DIST NAME.
// The engine answers with JSON; it is printed as it came.
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [directory, name] = process.argv.slice(2);
const dist = resolve(directory);
const engine = await import(pathToFileURL(join(dist, "engine.js")));
engine.initSync({ module: await readFile(join(dist, "engine_bg.wasm")) });
console.log(engine.bench(name));
