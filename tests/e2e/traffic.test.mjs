// Requests to Services: who sends them, what comes of them, and the packets on the map.

import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, screenshot, withPage } from "./harness.mjs";
import { apply, booted, column, list, map, select, speed } from "./site.mjs";

const service = (name, selected, more = "") => `apiVersion: v1
kind: Service
metadata:
  name: ${name}
spec:
  selector:
    app: ${selected}
  ports:
  - port: 80
${more}---
`;

const web = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 3
  selector:
    matchLabels:
      app: web
  template:
    metadata:
      labels:
        app: web
    spec:
      containers:
      - name: nginx
        image: nginx:1.27
        readinessProbe:
          httpGet:
            path: /
            port: 80
---
`;

const client = `apiVersion: v1
kind: Pod
metadata:
  name: client
spec:
  containers:
  - name: busybox
    image: busybox:1.36
    command: [sleep, "3600"]
---
`;

const nodePort = "    nodePort: 30080\n  type: NodePort\n";

/** The counts of the generator at a place in the list, oldest name first. */
const counts = (page, index = 0) =>
  page.getByTestId("generator").nth(index).evaluate(({ dataset }) =>
    Object.fromEntries(
      ["sent", "answered", "refused", "timedOut", "unresolved"].map((name) => [name, Number(dataset[name])]),
    )
  );

const told = async (page, name) =>
  Number(await page.getByTestId("map").getAttribute(`data-${name}`));

test("a pod sends requests to a Service by its name, and they are seen to go through it", withPage({}, async (page) => {
  await booted(page);
  await speed(page, 5);
  await apply(page, service("web", "web") + web + client);
  await eventually(async () => (await map(page)).ready, 4);
  await page.getByTestId("tab-traffic").click();
  await page.getByTestId("traffic-from").selectOption("default/client");
  await page.getByTestId("traffic-rate").fill("4");
  await page.getByTestId("start-traffic").click();
  await eventually(async () => (await counts(page)).answered >= 40, true);
  const { sent, refused, timedOut, unresolved } = await counts(page);
  assert.ok(sent >= 40, `${sent}`);
  assert.deepEqual({ refused, timedOut, unresolved }, { refused: 0, timedOut: 0, unresolved: 0 });
  assert.match(await page.getByTestId("generator").innerText(), /client → http:\/\/web\.default\//);
  await eventually(async () => (await told(page, "through-services")) >= 20, true);
  await screenshot(page, "traffic-through-service");
  await page.getByTestId("stop-traffic").click();
  await eventually(() => page.getByTestId("generator").count(), 0);
}));

test("requests from outside reach a node port at a hundred a second", withPage({}, async (page) => {
  await booted(page);
  await speed(page, 5);
  await apply(page, service("web", "web", nodePort) + web);
  await eventually(async () => (await map(page)).ready, 3);
  await page.getByTestId("tab-traffic").click();
  assert.equal(await page.getByTestId("traffic-from").evaluate((it) => it.selectedOptions[0].label), "outside the cluster");
  await page.getByTestId("traffic-rate").focus();
  for (let presses = 0; presses < 3; presses += 1) await page.keyboard.press("ArrowRight");
  await page.getByTestId("start-traffic").focus();
  await page.keyboard.press("Enter");
  await eventually(async () => (await counts(page)).answered >= 200, true);
  assert.match(await page.getByTestId("generator").innerText(), /outside the cluster → http:\/\/172\.18\.0\.\d+:30080\//);
  assert.equal((await counts(page)).timedOut, 0);
  await screenshot(page, "traffic-from-outside");
}));

test("a Service without pods refuses, and its packets look different", withPage({}, async (page) => {
  await booted(page);
  await speed(page, 5);
  await apply(page, service("nobody", "nobody") + client);
  await eventually(async () => (await map(page)).ready, 1);
  await page.getByTestId("tab-traffic").click();
  await page.getByTestId("traffic-target").selectOption("default/nobody:80");
  await page.getByTestId("start-traffic").click();
  await eventually(async () => (await counts(page)).refused >= 10, true);
  assert.equal((await counts(page)).answered, 0);
  await eventually(async () => (await told(page, "failed-packets")) >= 10, true);
  await screenshot(page, "traffic-refused");
}));

test("a Service's own button sends requests and stops them", withPage({}, async (page) => {
  await booted(page);
  await speed(page, 5);
  await apply(page, service("web", "web") + web);
  await eventually(async () => (await map(page)).ready, 3);
  await page.getByTestId("tab-more").selectOption("service");
  await select(page, "web");
  await page.getByTestId("request-rate").selectOption("20/s");
  await page.getByTestId("send-requests").click();
  // Nobody else is there, so that a pod behind the Service asks.
  await eventually(async () => (await counts(page)).answered >= 20, true);
  assert.equal((await map(page)).pods, 3);
  await page.getByTestId("stop-requests").click();
  await eventually(() => page.getByTestId("generator").count(), 0);
  await page.getByTestId("send-requests").waitFor();
  await list(page, "pods");
  await eventually(() => column(page, "Name", "traffic"), []);
}));

test("paused, a packet is seen hop by hop with the rules that decided", withPage({}, async (page) => {
  await booted(page);
  await apply(page, service("web", "web", nodePort) + web);
  await eventually(async () => (await map(page)).ready, 3);
  await page.getByTestId("tab-traffic").click();
  await page.getByTestId("start-traffic").click();
  await eventually(async () => (await counts(page)).answered >= 5, true);
  await page.getByTestId("tab-packets").click();
  const packets = page.getByTestId("packet-row");
  await eventually(async () => (await packets.count()) > 20, true);
  const before = await told(page, "packets");
  await page.getByTestId("next-packet").click();
  await eventually(() => page.getByTestId("play-pause").getAttribute("aria-label"), "Play");
  await eventually(async () => (await told(page, "packets")) > before, true);
  await packets.filter({ hasText: /HTTP GET \/: outside the cluster → Service web → web-/ }).first().click();
  const natted = page.locator("[data-testid=hop][data-verdict=Natted]");
  await natted.first().waitFor();
  // kube-proxy's rules choose one of the pods and rewrite the address.
  await eventually(async () => /DNAT|conntrack/.test(await page.getByTestId("hops").innerText()), true);
  await screenshot(page, "packet-hops");
  await packets.last().focus();
  await page.keyboard.press("Enter");
  await eventually(() => packets.last().getAttribute("aria-pressed"), "true");
}));

test("a node's kubelet stops alone, and an add-on without replicas", withPage({}, async (page) => {
  await booted(page);
  await apply(page, service("web", "web", nodePort) + web);
  await eventually(async () => (await map(page)).ready, 3);
  await page.getByTestId("tab-traffic").click();
  await page.getByTestId("start-traffic").click();
  await page.getByTestId("faults-menu").click();
  await page.getByTestId("kubelet-node-1").click();
  await page.keyboard.press("Escape");
  await speed(page, 10);
  await list(page, "nodes");
  await eventually(() => column(page, "Status", "node-1"), ["NotReady"]);
  await page.getByTestId("tab-traffic").click();
  const { answered } = await counts(page);
  await eventually(async () => (await counts(page)).answered > answered + 20, true);
  assert.equal((await counts(page)).timedOut, 0, "its containers answer");
  await page.getByTestId("faults-menu").click();
  await page.getByTestId("kubelet-node-1").click();
  await page.keyboard.press("Escape");
  await list(page, "nodes");
  await eventually(() => column(page, "Status", "node-1"), ["Ready"]);
  const dns = page.getByTestId("component-coredns");
  assert.equal(await dns.getAttribute("aria-pressed"), "true");
  await dns.click();
  await list(page, "pods");
  await eventually(() => column(page, "Name", "coredns"), []);
  await dns.click();
  await eventually(() => column(page, "Ready", "coredns"), ["1/1", "1/1"]);
}));
