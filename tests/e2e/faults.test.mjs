// What fails, and what the cluster does about it in its own time, as a person reads it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, screenshot, withPage } from "./harness.mjs";
import {
  booted, column, create, inspect, list, logLines, pause, play, rows, select, selectIn, speed, yaml,
} from "./site.mjs";

// Tall, so that every row of a list is in view.
const tall = { viewport: { width: 1280, height: 1600 } };

// Each run says when all runs began, and is healthy for a while only.
const weak = `apiVersion: v1
kind: Pod
metadata: {name: weak}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    image: busybox:1.37
    command: [sh, -c]
    args:
    - |
      date +%s >> /data/starts
      cat /data/starts
      touch /tmp/healthy
      sleep 3
      rm /tmp/healthy
      sleep 600
    livenessProbe:
      exec: {command: [cat, /tmp/healthy]}
      periodSeconds: 1
      failureThreshold: 1
    volumeMounts: [{name: data, mountPath: /data}]
  volumes: [{name: data, emptyDir: {}}]
`;

/** How often the selected pod was restarted, and why it waits: both of one moment. */
function crashing(page) {
  return page.evaluate(() => {
    const titles = [...document.querySelectorAll(".facts dt")];
    const restarts = titles.find((title) => title.textContent === "Restarts");
    return {
      restarts: Number(restarts?.nextElementSibling?.textContent),
      message: document.querySelector("[data-testid=message]")?.textContent ?? "",
    };
  });
}

function between(seconds, least, most) {
  assert(seconds >= least && seconds <= most, `${seconds} s is not within ${least} and ${most}`);
}

test("a failed liveness probe restarts a container, after ever longer back-offs", withPage(tall, async (page) => {
  await booted(page);
  await create(page, weak);
  await selectIn(page, "pods", "weak");
  await speed(page, 100);
  const seen = new Map();
  await eventually(async () => {
    const { restarts, message } = await crashing(page);
    if (message) seen.set(restarts, message.split(" pod=")[0]);
    return restarts >= 6;
  }, true);
  // Upstream: pkg/kubelet/kubelet.go, 10 s at first, doubled with each restart.
  const backOffs = ["10s", "20s", "40s", "1m20s", "2m40s", "5m0s"];
  assert(seen.size >= 3, "it says so most of the time");
  for (const [restarts, message] of seen) {
    const wanted = `back-off ${backOffs[restarts - 1]} restarting failed container=main`;
    assert.equal(message, wanted, `after ${restarts} restarts`);
  }
  await eventually(() => column(page, "Status", "weak"), ["CrashLoopBackOff"]);
  await inspect(page, "logs");
  const starts = (await page.getByTestId("log").last().innerText()).match(/\b1\d{9}$/gm).map(Number);
  const runs = starts.slice(1).map((start, index) => start - starts[index]);
  const [first, ...later] = runs;
  assert(first < 10, `the first restart is at once: ${runs}`);
  for (const [index, wanted] of [10, 20, 40, 80, 160].entries()) {
    const waited = later[index] - first;
    // The kubelet looks again when the back-off ends or after a minute, in either case up to half
    // as long later (pkg/kubelet/pod_workers.go, completeWork). Times are cut to seconds.
    between(waited, wanted - 1, wanted + Math.min(wanted, 60) / 2 + 2);
  }
  await inspect(page, "events");
  const events = (await page.getByTestId("event").allInnerTexts()).join("\n");
  assert.match(events, /Unhealthy[\s\S]*Liveness probe failed: cat: can't open '\/tmp\/healthy'/);
  assert.match(events, /Killing[\s\S]*Container main failed liveness probe, will be restarted/);
  assert.match(events, /BackOff[\s\S]*Back-off restarting failed container main in pod weak_default/);
}));

const web = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: main
        image: nginx:1.28
`;

const note = `apiVersion: v1
kind: ConfigMap
metadata: {name: the-moment}
`;

/** The seconds of a time in the YAML of what is selected: what the words' group found. */
async function time(page, words) {
  await inspect(page, "yaml");
  await eventually(async () => words.test(await yaml(page)), true);
  return Date.parse(words.exec(await yaml(page))[1]) / 1000;
}

test("a failed node is noticed, tainted, and after 300 s its pods come up elsewhere", withPage(tall, async (page) => {
  await booted(page);
  await create(page, web);
  await list(page, "pods");
  await eventually(() => column(page, "Ready", "web-"), ["1/1", "1/1", "1/1"]);
  const [{ Name: lost, Node: victim }] = await rows(page, "web-");
  // What is written down now has the time of the failure.
  await pause(page);
  await create(page, note);
  await page.getByTestId("faults-menu").click();
  await page.getByTestId(`fault-${victim}`).click();
  await page.keyboard.press("Escape");
  await speed(page, 100);
  await play(page);

  await list(page, "nodes");
  await eventually(() => column(page, "Status", victim), ["NotReady"]);
  await select(page, victim);
  await inspect(page, "summary");
  const taint = page.locator(".links code", { hasText: "node.kubernetes.io/unreachable:NoExecute" });
  await taint.waitFor();
  const tainted = await time(page, /effect: NoExecute\s+key: \S+unreachable\s+timeAdded: "(.+)"/);
  const noticed = await time(page, /lastTransitionTime: "(.+)"\s+message: Kubelet stopped posting/);
  await inspect(page, "events");
  await page.getByTestId("event").filter({ hasText: "NodeNotReady" }).waitFor();

  // The pod that nobody can end stays; another one runs elsewhere.
  await list(page, "pods");
  const states = async () => (await rows(page, "web-")).map((row) => `${row.Ready} ${row.Status}`).sort();
  await eventually(states, ["1/1 Running", "1/1 Running", "1/1 Running", "1/1 Terminating"]);
  const running = (await rows(page, "web-")).filter((row) => row.Status === "Running");
  assert(running.every((row) => row.Node !== victim), "elsewhere");
  await screenshot(page, "evicted");
  await select(page, lost);
  const evicted = await time(
    page,
    /lastTransitionTime: "(.+)"\s+message: .+\s+.+\s+reason: DeletionByTaintManager/,
  );
  await inspect(page, "events");
  await page.getByTestId("event").filter({ hasText: "TaintManagerEviction" }).waitFor();
  await selectIn(page, "configmap", "the-moment");
  const failed = await time(page, /creationTimestamp: "(.+)"/);
  // The last lease is up to 10 s old, and who looks after the leases looks every 5 s; what is
  // evicted it finds at its next look. Times are cut to seconds.
  between(noticed - failed, 39, 56);
  between(tainted - noticed, 4, 7);
  between(evicted - tainted, 299, 301);

  await page.getByTestId("faults-menu").click();
  await page.getByTestId(`fault-${victim}`).click();
  await list(page, "pods");
  await eventually(states, ["1/1 Running", "1/1 Running", "1/1 Running"]);
  await list(page, "nodes");
  assert.deepEqual(await column(page, "Status", victim), ["Ready"]);
}));
