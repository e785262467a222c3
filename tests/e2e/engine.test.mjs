// The engine without a page: the same build that the page's worker loads, here under Node.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

const dist = process.env.TABERNETES_DIST ?? fileURLToPath(new URL("../../dist/", import.meta.url));

/** The engine that a page loads first, and the whole one. */
const builds = Object.fromEntries(["core", "full"].map((name) => [name, {
  glue: readFileSync(join(dist, `engine-${name}.js`), "utf8"),
  module: new WebAssembly.Module(readFileSync(join(dist, `engine-${name}_bg.wasm`))),
}]));

const scratch = mkdtempSync(join(tmpdir(), "tabernetes-"));

let instances = 0;

/** A wasm instance of its own: the glue holds one instance per JavaScript module. */
async function instantiate(build = "full") {
  const { glue, module } = builds[build];
  instances += 1;
  // Under another name: Node takes a .js file without a package.json beside it for CommonJS.
  const file = join(scratch, `engine-${instances}.mjs`);
  writeFileSync(file, glue);
  const { Engine, initSync } = await import(pathToFileURL(file));
  return { Engine, exports: initSync({ module }) };
}

function execute(engine, command) {
  const results = JSON.parse(engine.execute(JSON.stringify(command)));
  assert.deepEqual(results.filter(({ message }) => message), []);
}

const deployment = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 5
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
      - name: web
        image: nginx:1.27
`;

/** A cluster that has done a little of everything, and is not at rest. */
async function busyEngine(seed) {
  const { Engine, exports } = await instantiate();
  const engine = new Engine();
  engine.boot(seed, 3);
  engine.advance(20_000);
  execute(engine, { apply: { text: deployment } });
  engine.advance(12_345);
  const object = { api_version: "apps/v1", kind: "Deployment", namespace: "default", name: "web" };
  execute(engine, { scale: { ...object, replicas: 8 } });
  engine.advance(777);
  execute(engine, { fail_node: { name: "node-2" } });
  engine.advance(60_000);
  return { engine, exports };
}

test("the same seed and commands give the same state twice, another seed another", async () => {
  const [first, second, other] = await Promise.all([1, 1, 2].map(busyEngine));
  assert.match(first.engine.state_hash(), /^[0-9a-f]{16,}$/);
  assert.equal(first.engine.state_hash(), second.engine.state_hash());
  assert.notEqual(first.engine.state_hash(), other.engine.state_hash());
});

test("sixty seconds at once and sixty times one second give the same state", async () => {
  const [atOnce, inParts] = await Promise.all([3, 3].map(busyEngine));
  atOnce.engine.advance(60_000);
  for (let second = 0; second < 60; second += 1) inParts.engine.advance(1000);
  assert.equal(inParts.engine.state_hash(), atOnce.engine.state_hash());
});

test("a session of the wasm build replays natively to the same state", (t) => {
  const program = process.env.TABERNETES_BINARY;
  if (!program) {
    t.skip("TABERNETES_BINARY is not set");
    return undefined;
  }
  return (async () => {
    const { engine } = await busyEngine(4);
    // A session ends with its last command: the hash is taken right after one.
    execute(engine, { recover_node: { name: "node-2" } });
    const file = join(scratch, "session.json");
    writeFileSync(file, engine.session());
    const native = execFileSync(program, ["replay", file, "-o", "hash"], { encoding: "utf8" });
    assert.equal(native.trim(), engine.state_hash());
  })();
});

test("after a trap a copy of the memory goes on in a new instance, to the same state", async () => {
  const { engine, exports } = await busyEngine(5);
  // The keyframe: taken between events, when no JavaScript handle lives in the engine.
  const keyframe = new Uint8Array(exports.memory.buffer).slice();
  const pointer = engine.__wbg_ptr;
  engine.advance(30_000);
  const wanted = engine.state_hash();
  assert.throws(() => engine.trap(), WebAssembly.RuntimeError);

  const fresh = await instantiate();
  const { memory } = fresh.exports;
  const missing = keyframe.byteLength - memory.buffer.byteLength;
  if (missing > 0) memory.grow(missing / 65_536);
  new Uint8Array(memory.buffer).set(keyframe);
  const survivor = Object.create(fresh.Engine.prototype, { __wbg_ptr: { value: pointer } });
  survivor.advance(30_000);
  assert.equal(survivor.state_hash(), wanted);
  // And it is whole: it takes commands and answers them.
  execute(survivor, { apply: { text: deployment.replaceAll("web", "more") } });
  survivor.advance(30_000);
  survivor.slice(performance.now());
  const messages = new TextDecoder().decode(survivor.take_messages());
  assert.match(messages, /Scaled up replica set more-\S+ from 0 to 5/);
});

test("the small engine boots to the state of the whole one, which takes over what it lacks", async () => {
  const [core, full] = await Promise.all(["core", "full"].map(async (build) => {
    const { Engine } = await instantiate(build);
    const engine = new Engine();
    engine.boot(6, 3);
    for (let second = 0; second < 60; second += 1) engine.advance(1000);
    return { Engine, engine };
  }));
  assert.equal(core.engine.state_hash(), full.engine.state_hash());
  assert.equal(core.engine.lacking(), undefined);
  const { Engine } = await instantiate("full");
  const next = new Engine();
  assert.equal(next.take_over(core.engine.hand_over()), undefined);
  while (!next.catch_up(10));
  next.go_on();
  assert.equal(next.state_hash(), full.engine.state_hash());
  for (const { engine } of [{ engine: next }, full]) {
    execute(engine, { apply: { text: deployment } });
    engine.advance(30_000);
  }
  assert.equal(next.state_hash(), full.engine.state_hash());
});
