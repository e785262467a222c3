// The two builds of the engine in the page: the small one boots, the whole one takes its place.

import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, screenshot, site, withPage } from "./harness.mjs";
import { apply, booted, clock, column, list, map, paste, speed } from "./site.mjs";

const WHOLE = /\/engine-full[^/]*$/;
const unopened = { opened: false };

const deployment = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 3
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

/** Opens the page; whatever is asked for of the whole engine waits until it is let through. */
async function openWithout(page) {
  const held = [];
  const asked = [];
  let answer = null;
  await page.route(WHOLE, async (route) => {
    asked.push(route.request().url());
    if (answer) await answer(route);
    else held.push(route);
  });
  await page.goto(site);
  const settle = async (how) => {
    answer = how;
    for (const route of held.splice(0)) await how(route);
  };
  return {
    asked,
    letThrough: () => settle((route) => route.continue()),
    refuse: () => settle((route) => route.abort("internetdisconnected")),
  };
}

const pace = (page) => page.getByTestId("pace").innerText();

async function threePodsAreReady(page) {
  await eventually(async () => (await map(page)).ready, 3);
}

test("the cluster is up and can be looked at without the whole engine", withPage(unopened, async (page) => {
  const whole = await openWithout(page);
  await page.getByTestId("clock").waitFor();
  await eventually(async () => (await clock(page)) > 1000, true);
  assert.deepEqual(whole.asked, [], "nothing more is loaded while the cluster boots");
  await booted(page);
  assert.equal((await map(page)).nodes, 4);
  await list(page, "nodes");
  assert.deepEqual(await column(page, "Status"), ["Ready", "Ready", "Ready", "Ready"]);
  // It is loaded as soon as the page can be used, and takes over without being seen.
  await eventually(async () => whole.asked.length > 0, true);
  const before = await clock(page);
  await speed(page, 10);
  await whole.letThrough();
  await eventually(async () => (await clock(page)) > before + 60_000, true);
  assert.equal((await map(page)).nodes, 4);
  assert.deepEqual(await column(page, "Status"), ["Ready", "Ready", "Ready", "Ready"]);
}));

test("what is applied before the whole engine is there waits for it, and is told so", withPage(unopened, async (page) => {
  const whole = await openWithout(page);
  await booted(page);
  await paste(page, deployment);
  await page.getByTestId("apply").click();
  await eventually(() => pace(page), "loading");
  const stood = await clock(page);
  // The map is drawn again and again meanwhile; it must never lose what is on it.
  await page.evaluate(() => {
    const surface = document.querySelector("[data-testid=map]");
    window.fewestNodes = Infinity;
    new MutationObserver(() => {
      window.fewestNodes = Math.min(window.fewestNodes, Number(surface.dataset.nodes));
    }).observe(surface, { attributes: true });
  });
  assert.equal(await clock(page), stood, "time stands");
  await whole.letThrough();
  await threePodsAreReady(page);
  assert.equal(await page.evaluate(() => window.fewestNodes), 4);
  const outcome = await page.getByTestId("outcome").innerText();
  assert.match(outcome, /deployment\.apps\/web created/);
  assert.notEqual(await pace(page), "loading");
  assert.ok((await clock(page)) >= stood);
}));

const offline = {
  opened: false,
  allowedErrors: [/ERR_INTERNET_DISCONNECTED/, /request failed: .*engine-full/],
};

test("without a connection the page says what is missing, and a retry brings it", withPage(offline, async (page) => {
  const whole = await openWithout(page);
  await booted(page);
  await whole.refuse();
  // It goes on as it is.
  await speed(page, 10);
  const before = await clock(page);
  await eventually(async () => (await clock(page)) > before + 5000, true);
  assert.equal(await page.getByTestId("notice").count(), 0, "nothing is missed yet");
  await paste(page, deployment);
  await page.getByTestId("apply").click();
  const retry = page.getByTestId("retry");
  await retry.waitFor();
  await screenshot(page, "unreachable");
  await retry.click();
  await retry.waitFor();
  await whole.letThrough();
  await retry.click();
  await threePodsAreReady(page);
  assert.match(await page.getByTestId("outcome").innerText(), /deployment\.apps\/web created/);
  assert.equal(await page.getByTestId("notice").count(), 0);
}));

test("a trap after the whole engine took over costs neither the page nor what was made", withPage({}, async (page) => {
  await booted(page);
  assert.deepEqual(await apply(page, deployment), ["✓\ndeployment.apps/web created"]);
  await threePodsAreReady(page);
  const [worker] = page.workers();
  await worker.evaluate(() => self.postMessage({ trap: "on purpose" }));
  await page.getByTestId("notice").getByText("on purpose").waitFor();
  await page.getByTestId("dismiss").click();
  await threePodsAreReady(page);
  await speed(page, 10);
  await apply(page, deployment.replaceAll("web", "more"));
  await eventually(async () => (await map(page)).ready, 6);
}));
