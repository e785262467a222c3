// What the editor says of texts that are wrong, and that such a text changes nothing.

import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, withPage } from "./harness.mjs";
import { apply, booted, column, list, map, press } from "./site.mjs";

const tall = { viewport: { width: 1280, height: 1600 } };

const configMap = (name, extra = "") => `apiVersion: v1
kind: ConfigMap
metadata:
  name: ${name}
${extra}`;

/** A text whose aliases stand for 10^9 strings. */
function aliasBomb() {
  const levels = ["a: &a [x, x, x, x, x, x, x, x, x, x]"];
  for (const [index, name] of [..."bcdefghi"].entries()) {
    const below = "abcdefgh"[index];
    levels.push(`${name}: &${name} [${Array(10).fill(`*${below}`).join(", ")}]`);
  }
  return levels.join("\n");
}

test("two documents are applied, applied again unchanged, and deleted", withPage(tall, async (page) => {
  await booted(page);
  const text = `${configMap("one")}---\n${configMap("two", "data: {key: value}\n")}`;
  const outcome = (word) => ["one", "two"].map((name) => `✓\nconfigmap/${name} ${word}`);
  assert.deepEqual(await apply(page, text), outcome("created"));
  assert.deepEqual(await press(page, "apply"), outcome("unchanged"));
  assert.deepEqual(await press(page, "delete"), outcome("deleted"));
}));

test("an invalid field is refused in the API server's words, at its line", withPage(tall, async (page) => {
  await booted(page);
  const [problem] = await apply(page, `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: -1
  selector:
    matchLabels:
      app: web
  template:
    metadata:
      labels:
        app: web
    spec:
      containers:
      - name: web
        image: nginx
`);
  // Upstream: apimachinery/pkg/api/validation, IsNegativeErrorMsg.
  assert.match(problem, /spec\.replicas: Invalid value: -1: must be greater than or equal to 0/);
  assert.match(problem, /line 6:/);
  await list(page, "deployments");
  assert.deepEqual(await column(page, "Name"), []);
}));

const refused = [
  ["text that is no YAML", "kind: [unclosed\n  - a: }", /line \d+:\d+/],
  ["a document without a kind", "apiVersion: v1\nmetadata:\n  name: x\n", /kind/i],
  ["a kind that nobody serves", "apiVersion: v1\nkind: Teapot\nmetadata:\n  name: x\n", /Teapot/],
  ["aliases that expand without end", aliasBomb(), /alias/i],
  ["a text that is nested too deeply", `a: ${"[".repeat(500)}${"]".repeat(500)}`, /deep|depth|nest/i],
];

for (const [what, text, words] of refused) {
  test(`${what} is refused and changes nothing`, withPage(tall, async (page) => {
    await booted(page);
    const before = await map(page);
    const problems = await apply(page, text);
    assert.equal(await page.getByTestId("done").count(), 0);
    assert.match(problems.join("\n"), words);
    assert.deepEqual(await map(page), before);
    // The engine still answers.
    const after = await apply(page, configMap("after"));
    assert.deepEqual(after, ["✓\nconfigmap/after created"]);
  }));
}

test("a text of four megabytes is refused and changes nothing", withPage(tall, async (page) => {
  await booted(page);
  const line = `  key: ${"x".repeat(1000)}\n`;
  // Not typed: Chromium's own typing of so much text takes minutes.
  await page.getByTestId("editor").evaluate((area, text) => {
    area.value = text;
    area.dispatchEvent(new InputEvent("input", { bubbles: true }));
  }, configMap("huge", `data:\n${line.repeat(4200)}`));
  const problems = await press(page, "apply");
  assert.equal(await page.getByTestId("done").count(), 0);
  assert.match(problems.join("\n"), /3 MiB|large|limit|bytes/i);
}));

test("Ctrl+Enter applies and Escape leaves the editor", withPage(tall, async (page) => {
  await booted(page);
  const editor = page.getByRole("textbox", { name: "Manifest in YAML" });
  await editor.fill(configMap("by-key"));
  await editor.press("ControlOrMeta+Enter");
  await eventually(() => page.getByTestId("done").allInnerTexts(), [
    "✓\nconfigmap/by-key created",
  ]);
  await editor.press("Escape");
  assert.equal(await editor.evaluate((area) => document.activeElement === area), false);
}));
