// Whole applications: applied as a person pastes them, and seen to serve.

import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, screenshot, withPage } from "./harness.mjs";
import {
  booted, column, create, example, inspect, list, logLines, map, selectIn, speed,
} from "./site.mjs";

// Tall, so that every row of a list is in view.
const tall = { viewport: { width: 1280, height: 1600 } };

/** Waits until every Deployment of the default namespace has its one pod. */
async function allReady(page, count) {
  await page.getByTestId("namespace").selectOption("default");
  await list(page, "deployments");
  await eventually(() => column(page, "Ready"), Array(count).fill("1/1"));
  assert.deepEqual(await map(page), { nodes: 4, pods: count, ready: count, unscheduled: 0 });
}

test("the microservices demo comes up, and its shoppers are served", withPage(tall, async (page) => {
  await booted(page);
  await create(page, await example("boutique"));
  await speed(page, 50);
  await allReady(page, 12);
  await selectIn(page, "pods", "loadgenerator-");
  await inspect(page, "logs");
  // Locust's figures: how many were asked, and how many failed.
  const figures = async () => {
    const lines = (await logLines(page)).filter((line) => line.includes("Aggregated"));
    const found = /Aggregated +(\d+) +(\d+)\(/.exec(lines.at(-1) ?? "");
    return found ? { requests: Number(found[1]), failures: Number(found[2]) } : { requests: 0 };
  };
  await eventually(async () => (await figures()).requests > 60, true);
  assert.equal((await figures()).failures, 0);
  await screenshot(page, "microservices demo");
}));

const voter = `apiVersion: v1
kind: Pod
metadata: {name: voter}
spec:
  restartPolicy: Never
  containers:
  - name: main
    image: busybox:1.37
    command: [sh, -c]
    args:
    - |
      wget -qO- http://result:8081
      wget -qO- --post-data vote=b http://vote:8080
      until wget -qO- http://result:8081 | grep "Dogs: 1"; do sleep 1; done
`;

test("a vote travels through the voting app to its result", withPage(tall, async (page) => {
  await booted(page);
  await create(page, await example("voting"));
  await speed(page, 50);
  await allReady(page, 5);
  await create(page, voter);
  await selectIn(page, "pods", "worker-");
  await inspect(page, "logs");
  const counted = (lines) => lines.filter((line) => line.startsWith("Processing vote for 'b'"));
  await eventually(async () => counted(await logLines(page)).length, 1);
  await selectIn(page, "pods", "voter");
  await eventually(async () => (await logLines(page)).at(-1), "<p>Dogs: 1</p>");
  const lines = await logLines(page);
  assert(lines.includes("<p>Dogs: 0</p>"), "before the vote there is none");
  assert(lines.includes("<h3>Cats vs Dogs!</h3>"));
  await eventually(() => column(page, "Status", "voter"), ["Completed"]);
}));

const asking = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: main
        image: nginx:1.28
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80}]
---
apiVersion: v1
kind: Pod
metadata: {name: asking}
spec:
  containers:
  - name: main
    image: busybox:1.37
    command: [sh, -c, 'while sleep 1; do wget -q -T 2 -O- http://web | grep title; done']
`;

test("without CoreDNS names fail, and with it again they work", withPage(tall, async (page) => {
  await booted(page);
  await speed(page, 50);
  await create(page, asking);
  const scale = async (replicas, ready) => {
    await selectIn(page, "deployments", "coredns");
    await page.getByRole("spinbutton", { name: "Replicas" }).fill(replicas);
    await page.getByTestId("scale").click();
    await eventually(() => column(page, "Ready", "coredns"), [ready]);
    await selectIn(page, "pods", "asking");
    await inspect(page, "logs");
  };
  const last = async () => (await logLines(page)).at(-1);
  await selectIn(page, "pods", "asking");
  await inspect(page, "logs");
  await eventually(last, "<title>Welcome to nginx!</title>");
  await scale("0", "0/0");
  await eventually(last, "wget: bad address 'web'");
  await scale("2", "2/2");
  await eventually(last, "<title>Welcome to nginx!</title>");
}));
