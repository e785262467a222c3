// The bar that moves virtual time.

import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, withPage } from "./harness.mjs";
import { apply, booted, clock, column, list, map, pause, speed, step } from "./site.mjs";

const pod = (name) => `apiVersion: v1
kind: Pod
metadata:
  name: ${name}
spec:
  containers:
  - name: main
    image: nginx:1.27
`;

test("while paused the clock stands and nothing happens", withPage({}, async (page) => {
  await booted(page);
  await pause(page);
  await apply(page, pod("waiting"));
  const before = await clock(page);
  // Long enough for many frames; at the speed before it, virtual time would have gone on.
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 500)));
  assert.equal(await clock(page), before);
  assert.equal((await map(page)).unscheduled, 1, "nobody has placed it");
  await page.getByRole("button", { name: "Play", exact: true }).click();
  await speed(page, 10);
  await list(page, "pods");
  await eventually(() => column(page, "Ready", "waiting"), ["1/1"]);
}));

test("single steps bring a pod all the way to Running", withPage({}, async (page) => {
  await booted(page);
  await pause(page);
  await apply(page, pod("stepped"));
  await list(page, "pods");
  const seen = new Set();
  for (let steps = 0; steps < 1000 && !seen.has("Running"); steps += 1) {
    await step(page);
    for (const status of await column(page, "Status", "stepped")) seen.add(status);
  }
  assert.deepEqual([...seen], ["Pending", "ContainerCreating", "Running"]);
}));

test("a higher speed makes virtual time pass faster than the wall's", withPage({}, async (page) => {
  await booted(page);
  await speed(page, 100);
  const before = await clock(page);
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 1000)));
  const passed = await clock(page) - before;
  assert.ok(passed > 20_000, `${passed} ms of virtual time in a second`);
}));

test("run until quiet ends with everything ready", withPage({}, async (page) => {
  await booted(page);
  await pause(page);
  await apply(page, pod("hurried"));
  await page.getByRole("button", { name: "Run until quiet" }).click();
  await list(page, "pods");
  await eventually(() => column(page, "Ready", "hurried"), ["1/1"]);
  await eventually(() => page.getByTestId("pace").getAttribute("data-quiet"), "true");
}));

test("reset brings a fresh cluster", withPage({}, async (page) => {
  await booted(page);
  await speed(page, 10);
  await apply(page, pod("forgotten"));
  await list(page, "pods");
  await eventually(() => column(page, "Ready", "forgotten"), ["1/1"]);
  await page.getByRole("button", { name: "Reset the cluster" }).click();
  await booted(page);
  assert.deepEqual(await column(page, "Name", "forgotten"), []);
}));
