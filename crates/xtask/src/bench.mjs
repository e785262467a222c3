// Runs one benchmark of the built engine under Node: node bench.mjs DIST NAME.
// The engine answers with JSON; it is printed as it came.
import { readFile } from "node:fs/promises";
import { join } from "node:path";

const [dist, name] = process.argv.slice(2);
// As text, because Node takes a .js file without a package.json beside it for CommonJS.
const glue = await readFile(join(dist, "engine-full.js"), "base64");
const engine = await import(`data:text/javascript;base64,${glue}`);
engine.initSync({ module: await readFile(join(dist, "engine-full_bg.wasm")) });
const result = engine.bench(name);
if (result === undefined) {
  console.error(`there is no benchmark ${name}`);
  process.exit(1);
}
console.log(result);
