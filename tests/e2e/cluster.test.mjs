// The first pods: what the page must be able to show of one Deployment and three nodes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { corpus, eventually, screenshot, site, withPage } from "./harness.mjs";
import { apply, booted, clock, column, list, map, press, rows, select, speed } from "./site.mjs";

// Tall, so that every row of a list is in view.
const tall = { viewport: { width: 1280, height: 1600 } };

const deployment = (name, replicas, image) => `apiVersion: apps/v1
kind: Deployment
metadata:
  name: ${name}
spec:
  replicas: ${replicas}
  selector:
    matchLabels:
      app: ${name}
  template:
    metadata:
      labels:
        app: ${name}
    spec:
      containers:
      - name: web
        image: ${image}
        resources:
          requests:
            cpu: 100m
`;

const INTERACTIVE_MS = 3000;

const unopened = { ...tall, opened: false };

test("three nodes are ready within three seconds of opening the page", withPage(unopened, async (page) => {
  const times = [];
  // The best of three, so that a busy machine does not fail it: it is the page that is measured.
  for (let load = 0; load < 3 && !(Math.min(...times) < INTERACTIVE_MS); load += 1) {
    await page.goto(site);
    await booted(page);
    times.push(Math.round(await page.evaluate(() => performance.now())));
  }
  console.log(`page to interactive cluster: ${times.join(", ")} ms`);
  assert.ok(Math.min(...times) < INTERACTIVE_MS, `${times} ms`);
  assert.equal((await map(page)).nodes, 4);
  await list(page, "nodes");
  assert.deepEqual(await column(page, "Status"), ["Ready", "Ready", "Ready", "Ready"]);
}));

test("the documentation's nginx Deployment becomes three ready pods", withPage(tall, async (page, t) => {
  const path = "website-examples/application/ssa/nginx-deployment.yaml";
  const text = await corpus(t, path);
  if (text === null) return;
  await booted(page);
  await speed(page, 10);
  assert.deepEqual(await apply(page, text), ["✓\ndeployment.apps/nginx-deployment created"]);
  await threeReadyPods(page, "nginx-deployment");
}));

test("a Deployment becomes three ready pods, on the map and in the list", withPage(tall, async (page) => {
  await booted(page);
  await speed(page, 10);
  const before = await map(page);
  assert.deepEqual(await apply(page, deployment("web", 3, "nginx:1.27")), [
    "✓\ndeployment.apps/web created",
  ]);
  await threeReadyPods(page, "web");
  const after = await map(page);
  assert.equal(after.ready - before.ready, 3);
  assert.equal(after.unscheduled, 0);
  await screenshot(page, "three-ready-pods");
}));

async function threeReadyPods(page, name) {
  await list(page, "pods");
  await eventually(() => column(page, "Ready", name), ["1/1", "1/1", "1/1"]);
  assert.deepEqual(await column(page, "Status", name), ["Running", "Running", "Running"]);
  const nodes = await column(page, "Node", name);
  assert.equal(new Set(nodes).size, 3, `spread over ${nodes}`);
  await list(page, "deployments");
  assert.deepEqual(await column(page, "Ready", name), ["3/3"]);
}

test("a Deployment scales to ten", withPage(tall, async (page) => {
  await booted(page);
  await speed(page, 10);
  await apply(page, deployment("web", 3, "nginx:1.27"));
  await list(page, "deployments");
  await eventually(() => column(page, "Ready", "web"), ["3/3"]);
  await select(page, "web");
  await page.getByRole("spinbutton", { name: "Replicas" }).fill("10");
  await page.getByTestId("scale").click();
  await eventually(() => column(page, "Ready", "web"), ["10/10"]);
  await list(page, "pods");
  assert.equal((await column(page, "Name", "web-")).length, 10);
}));

test("a deleted pod is replaced by another", withPage(tall, async (page) => {
  await booted(page);
  await speed(page, 10);
  await apply(page, deployment("web", 3, "nginx:1.27"));
  await list(page, "pods");
  await eventually(() => column(page, "Ready", "web-"), ["1/1", "1/1", "1/1"]);
  const before = await column(page, "Name", "web-");
  await select(page, before[0]);
  await page.getByTestId("delete-object").click();
  await eventually(async () => (await column(page, "Name", "web-")).includes(before[0]), false);
  await eventually(() => column(page, "Ready", "web-"), ["1/1", "1/1", "1/1"]);
  const after = await column(page, "Name", "web-");
  assert.equal(after.filter((name) => before.includes(name)).length, 2, `${before} → ${after}`);
  await page.getByTestId("gone").waitFor();
}));

test("a new image rolls out without a moment below three ready pods", withPage(tall, async (page) => {
  await booted(page);
  await speed(page, 10);
  await apply(page, deployment("web", 3, "nginx:1.27"));
  await list(page, "deployments");
  await eventually(() => column(page, "Ready", "web"), ["3/3"]);
  assert.deepEqual(await apply(page, deployment("web", 3, "nginx:1.29")), [
    "✓\ndeployment.apps/web configured",
  ]);
  const seen = [];
  await eventually(async () => {
    const [row] = await rows(page, "web");
    seen.push(Number(row.Available));
    return [row.Ready, row["Up-to-date"], row.Available, row.Images];
  }, ["3/3", "3", "3", "nginx:1.29"]);
  assert.ok(Math.min(...seen) >= 3, `available: ${seen}`);
  await list(page, "replicasets");
  await eventually(async () => (await column(page, "Desired", "web-")).sort(), ["0", "3"]);
  await list(page, "pods");
  await eventually(async () => (await column(page, "Ready", "web-")).length, 3);
}));

test("a node whose kubelet stops becomes NotReady, and Ready again", withPage(tall, async (page) => {
  await booted(page);
  await list(page, "nodes");
  // Not the control plane's own: without it nobody would notice.
  const name = (await column(page, "Name")).find((name) => name.startsWith("node-"));
  const status = async () => (await rows(page)).find((row) => row.Name === name).Status;
  await speed(page, 100);
  await page.getByTestId("faults-menu").click();
  await page.getByTestId(`fault-${name}`).click();
  await eventually(status, "NotReady");
  await screenshot(page, "node-not-ready");
  assert.deepEqual((await column(page, "Status")).sort(), ["NotReady", "Ready", "Ready", "Ready"]);
  await page.getByTestId(`fault-${name}`).click();
  await eventually(status, "Ready");
}));

test("a pod that asks for too much stays in the tray with the scheduler's words", withPage(tall, async (page) => {
  await booted(page);
  await apply(page, `apiVersion: v1
kind: Pod
metadata:
  name: warehouse
spec:
  containers:
  - name: warehouse
    image: nginx:1.27
    resources:
      requests:
        memory: 512Gi
`);
  await eventually(async () => (await map(page)).unscheduled, 1);
  await list(page, "pods");
  assert.deepEqual(await column(page, "Status", "warehouse"), ["Pending"]);
  await select(page, "warehouse");
  // Upstream: pkg/scheduler/framework/types.go, FitError.Error.
  const words = /0\/4 nodes are available: [^.]*3 Insufficient memory/;
  await eventually(async () => words.test(await page.getByTestId("message").innerText()), true);
  await page.getByTestId("inspect-events").click();
  const event = page.getByTestId("event").filter({ hasText: "FailedScheduling" });
  assert.match(await event.innerText(), words);
  await screenshot(page, "unschedulable");
}));

test("without the scheduler pods stay unscheduled; started again, it finds them", withPage({}, async (page) => {
  await booted(page);
  const scheduler = page.getByTestId("component-kube-scheduler");
  await scheduler.click();
  await eventually(() => scheduler.getAttribute("aria-pressed"), "false");
  await page.getByTestId("card-web").click();
  await eventually(async () => (await map(page)).unscheduled, 3);
  await speed(page, 100);
  const later = (await clock(page)) + 60_000;
  await eventually(async () => (await clock(page)) > later, true);
  assert.deepEqual(await map(page), { nodes: 4, pods: 3, ready: 0, unscheduled: 3 });
  await scheduler.click();
  await eventually(async () => (await map(page)).ready, 3);
}));

const service = `apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  selector:
    app: web
  ports:
  - port: 80
`;

test("a Service is a hub on the map, and its endpoints follow its pods", withPage({}, async (page) => {
  await booted(page);
  await speed(page, 10);
  const before = Number(await page.getByTestId("map").getAttribute("data-services"));
  await apply(page, `${service}---\n${deployment("web", 2, "nginx")}`);
  await eventually(() => page.getByTestId("map").getAttribute("data-services"), String(before + 1));
  await eventually(async () => (await map(page)).ready, 2);
  // By the keyboard: the hubs are the last on the map.
  const surface = page.getByRole("listbox", { name: "Cluster map" });
  await surface.focus();
  const heard = page.getByTestId("map-option");
  for (let steps = 0; steps < 20; steps += 1) await page.keyboard.press("ArrowDown");
  for (let steps = 0; steps < 5 && !(await heard.innerText()).startsWith("Service web,"); steps += 1) {
    await page.keyboard.press(steps < 3 ? "ArrowLeft" : "ArrowRight");
  }
  assert.equal(await heard.innerText(), "Service web, 2 / 2 Ready");
  await page.keyboard.press("Enter");
  await eventually(() => page.getByTestId("inspector-name").innerText(), "web");
  const endpoints = page.getByTestId("endpoint");
  await eventually(() => endpoints.count(), 2);
  assert.equal(await endpoints.first().getAttribute("title"), "Ready");
  assert.match(await page.locator(".facts").innerText(), /ClusterIP[\s\S]*80\/TCP/);
  await screenshot(page, "service");
  await list(page, "deployments");
  await select(page, "web");
  await page.getByTestId("scale-down").click();
  await page.getByTestId("scale").click();
  await eventually(async () => (await map(page)).pods, 1);
  await surface.focus();
  await eventually(() => heard.innerText(), "Service web, 1 / 1 Ready");
}));

test("packets and probes of running pods are seen on the map", withPage({}, async (page) => {
  await booted(page);
  await speed(page, 5);
  const told = (name) => page.getByTestId("map").getAttribute(`data-${name}`);
  await page.getByTestId("examples-menu").click();
  await page.getByTestId("example-service").click();
  await press(page, "apply");
  await eventually(async () => (await map(page)).ready >= 4, true);
  const before = Number(await told("packets"));
  // The client asks once a second, and each question takes several packets.
  await eventually(async () => Number(await told("packets")) >= before + 10, true);
  await eventually(async () => Number(await told("probes")) > 0, true);
  await screenshot(page, "packets");
}));

test("the pods of the control plane are on the map for who wants to see them", withPage({}, async (page) => {
  await booted(page);
  const counts = page.getByTestId("counts");
  assert.match(await counts.innerText(), /^4 nodes · 0 of 0 pods/);
  const toggle = page.getByTestId("system-pods");
  await toggle.click();
  await eventually(() => toggle.getAttribute("aria-pressed"), "true");
  assert.match(await counts.innerText(), /^4 nodes · 1\d of 1\d pods/);
  await screenshot(page, "system-pods");
  // A stopped component's pod goes with it.
  const total = async () => Number(/of (\d+)/.exec(await counts.innerText())[1]);
  const before = await total();
  await page.getByTestId("component-kube-scheduler").click();
  await speed(page, 10);
  await eventually(total, before - 1);
}));
