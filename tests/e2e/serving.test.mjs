// Where requests go and where not: while pods are not ready, while they are replaced, and packet
// by packet.

import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, screenshot, withPage } from "./harness.mjs";
import {
  booted, clock, column, create, list, map, pause, rows, selectIn, speed, step,
} from "./site.mjs";

// Tall, so that every row of a list is in view.
const tall = { viewport: { width: 1280, height: 1600 } };

const client = `apiVersion: v1
kind: Pod
metadata: {name: client}
spec:
  containers:
  - name: main
    image: busybox:1.37
    command: [sleep, infinity]
`;

const deployment = (replicas, image, port, rest) => `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: main
        image: ${image}
        ports: [{containerPort: ${port}}]
${rest}`;

const service = (port) => `apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: ${port}}]
`;

/** Sends requests to the Service from the client, as its inspector offers. */
async function send(page, rate) {
  await selectIn(page, "service", "web");
  await page.getByTestId("request-rate").selectOption(rate);
  await page.getByTestId("send-requests").click();
  await page.getByTestId("generator").waitFor();
}

/** What the sender has counted: how many were answered well, and how many were not. */
async function counted(page) {
  const words = await page.getByTestId("generator").locator(".tally").allInnerTexts();
  const numbers = words.map((word) => /^(.+?) *(\d+)$/.exec(word.trim()));
  const counts = Object.fromEntries(numbers.map(([, name, number]) => [name, Number(number)]));
  const { "2xx": well, ...others } = counts;
  return { well, lost: Object.values(others).reduce((sum, number) => sum + number, 0) };
}

const state = (serving) => `apiVersion: v1
kind: ConfigMap
metadata: {name: state}
data: {serving: "${serving}"}
`;

const moody = deployment(1, "nginx:1.28", 80, `        readinessProbe:
          exec: {command: [grep, "yes", /etc/state/serving]}
          periodSeconds: 2
          failureThreshold: 1
        volumeMounts: [{name: state, mountPath: /etc/state}]
      volumes: [{name: state, configMap: {name: state}}]
`);

test("where readiness fails no request goes, and where it is back they do", withPage(tall, async (page) => {
  await booted(page);
  await create(page, [state("yes"), moody, service(80), client].join("---\n"));
  await eventually(async () => (await map(page)).ready, 2);
  await send(page, "20/s");
  await speed(page, 50);
  const ready = () => page.getByTestId("state").innerText();
  assert.match(await ready(), /^1 \/ 1/);
  await eventually(async () => (await counted(page)).well > 20, true);
  assert.equal((await counted(page)).lost, 0);

  await create(page, state("no"));
  await eventually(async () => /^0 \/ 1/.test(await ready()), true);
  assert.equal(await page.getByTestId("endpoint").getAttribute("title"), "Endpoint, not ready");
  // Every node knows it a moment later.
  await eventually(async () => (await counted(page)).lost > 20, true);
  const before = await counted(page);
  await eventually(async () => (await counted(page)).lost > before.lost + 100, true);
  assert.equal((await counted(page)).well, before.well, "nothing goes there");
  await screenshot(page, "no endpoint is ready");

  await create(page, state("yes"));
  await eventually(async () => /^1 \/ 1/.test(await ready()), true);
  await eventually(async () => (await counted(page)).well > before.well + 100, true);
  await list(page, "pods");
  assert.deepEqual(await column(page, "Restarts", "web-"), ["0"], "nobody restarts it");
}));

const hello = (version, rest) =>
  deployment(3, `gcr.io/google-samples/hello-app:${version}`, 8080, rest);

/** What came of the requests that were sent while a Deployment was updated. */
async function updated(page, rest) {
  await booted(page);
  await create(page, [hello("1.0", rest), service(8080), client].join("---\n"));
  await eventually(async () => (await map(page)).ready, 4);
  await send(page, "20/s");
  await speed(page, 20);
  await eventually(async () => (await counted(page)).well > 100, true);
  assert.equal((await counted(page)).lost, 0);
  await create(page, hello("2.0", rest));
  await list(page, "deployments");
  const progress = async () => {
    const [row] = await rows(page, "web");
    return [row.Ready, row["Up-to-date"], row.Images];
  };
  await eventually(progress, ["3/3", "3", "gcr.io/google-samples/hello-app:2.0"]);
  await list(page, "pods");
  await eventually(async () => (await column(page, "Name", "web-")).length, 3);
  // A request that is never answered is given up after five seconds.
  const end = (await clock(page)) + 6000;
  await eventually(async () => (await clock(page)) > end, true);
  await page.getByTestId("tab-traffic").click();
  const { well, lost } = await counted(page);
  assert(well > 200, `${well} answers`);
  return lost;
}

test("a rolling update with readiness and a quiet end loses no request", withPage(tall, async (page) => {
  const lost = await updated(page, `        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
        lifecycle: {preStop: {sleep: {seconds: 5}}}
`);
  await screenshot(page, "nothing was lost");
  assert.equal(lost, 0);
}));

test("a rolling update without them loses some", withPage(tall, async (page) => {
  const lost = await updated(page, "");
  await screenshot(page, "some were lost");
  assert(lost > 0, "pods that end are still in the rules for a moment");
}));

/** One step, and what the page then says of packets. */
async function stepped(page) {
  const said = () => page.evaluate(() => ({
    packets: Number(document.querySelector("[data-testid=map]").dataset.packets),
    words: document.querySelector("[data-testid=packet]").textContent,
  }));
  const before = await said();
  await step(page);
  const after = await said();
  return { went: after.packets - before.packets, words: after.words };
}

test("step by step each packet of a request is seen on its own", withPage(tall, async (page) => {
  await booted(page);
  await speed(page, 10);
  const plain = deployment(1, "nginx:1.28", 80, "");
  await create(page, [plain, service(80), client].join("---\n"));
  await eventually(async () => (await map(page)).ready, 2);
  await list(page, "pods");
  const [server] = await column(page, "Name", "web-");
  await send(page, "1/s");
  await eventually(async () => (await counted(page)).well > 0, true);
  await pause(page);
  // From where a request begins.
  let seen = [];
  const isOver = () => seen.some((words) => words.startsWith(`HTTP 200: ${server}`));
  for (let steps = 0; steps < 1000 && !isOver(); steps += 1) {
    const { went, words } = await stepped(page);
    assert(went <= 1, `${went} packets in one step`);
    if (words.startsWith("SYN: client")) seen = [];
    if (went === 1) seen.push(words);
  }
  await screenshot(page, "one packet");
  // From machine to machine, the one after the other.
  const order = ["SYN: client → Service web", "SYN-ACK: ", "HTTP GET /: client → Service web", "HTTP 200: "];
  const places = order.map((start) => seen.findIndex((words) => words.startsWith(start)));
  assert(!places.includes(-1), seen.join("\n"));
  assert.deepEqual(places, places.toSorted((one, other) => one - other), seen.join("\n"));
  assert(seen.some((words) => words.startsWith("HTTP GET /: ") && words.endsWith(server)));
}));
