// What the editor says of texts that are wrong, and that such a text changes nothing.

import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, site, withPage } from "./harness.mjs";
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
  assert.deepEqual(await column(page, "Name", "web"), []);
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

/** Waits for the whole editor, which comes after all else. */
async function whole(page) {
  await booted(page);
  await page.locator(".code.enhanced").waitFor();
  return page.getByRole("textbox", { name: "Manifest in YAML" });
}

const wide = { viewport: { width: 1280, height: 800 } };

test("the whole editor comes by itself, colours YAML and marks problems at their lines", withPage(wide, async (page) => {
  const editor = await whole(page);
  await editor.focus();
  await page.keyboard.insertText("apiVersion: v1\nkind: Pod\nmetadata:\n  name: A_B\nspec:\n  containers: []\n");
  const colour = (text) => page.locator(".cm-line span", { hasText: text }).first()
    .evaluate((span) => getComputedStyle(span).color);
  assert.notEqual(await colour("apiVersion"), await colour("Pod"));
  await page.keyboard.press("ControlOrMeta+Enter");
  await page.getByTestId("problem").first().waitFor();
  const marks = page.locator(".cm-lint-marker-error");
  await eventually(async () => (await marks.count()) > 0, true);
  const aligned = await page.evaluate(() => {
    const top = (element) => element.getBoundingClientRect().top;
    const numbers = [...document.querySelectorAll(".cm-lineNumbers .cm-gutterElement")];
    const marked = [...document.querySelectorAll(".cm-lint-marker-error")];
    return marked.map((mark) => numbers.find((number) =>
      number.checkVisibility({ visibilityProperty: true }) && Math.abs(top(number) - top(mark)) < 10
    )?.textContent);
  });
  assert(aligned.includes("4"), `marked are the lines ${aligned}`);
  // A press on the problem's place leads there.
  await page.locator(".place").first().click();
  await eventually(() => editor.evaluate((content) => document.activeElement === content), true);
}));

test("Tab indents, Escape hands it back, undo and search work", withPage(wide, async (page) => {
  const editor = await whole(page);
  const text = () => page.getByTestId("editor").inputValue();
  await editor.focus();
  await page.keyboard.type("spec:");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  await page.keyboard.type("a: 1");
  assert.match(await text(), /^spec:\n {2,4}a: 1$/);
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.press("Delete");
  assert.equal(await text(), "");
  await page.keyboard.press("ControlOrMeta+z");
  assert.match(await text(), /a: 1$/);
  await page.keyboard.press("ControlOrMeta+f");
  await page.locator(".cm-search").waitFor();
  await page.keyboard.press("Escape");
  await page.locator(".cm-search").waitFor({ state: "detached" });
  await page.keyboard.press("Escape");
  const inside = () => page.evaluate(() => document.activeElement.closest(".code") !== null);
  assert.equal(await inside(), false);
  await page.keyboard.press("Tab");
  assert.equal(await inside(), false);
}));

test("the textarea alone works when the editor's file does not come", withPage(
  { ...wide, opened: false, allowedErrors: [/editor\.js/, /net::ERR_FAILED/] },
  async (page) => {
    await page.route("**/editor.js", (route) => route.abort());
    await page.goto(site);
    await booted(page);
    assert.deepEqual(await apply(page, configMap("plain")), ["✓\nconfigmap/plain created"]);
    assert.equal(await page.locator(".code.enhanced").count(), 0);
  },
));

/** Drops files on the page, or only holds them over it. */
async function drop(page, files, steps = ["dragover", "drop"]) {
  const transfer = await page.evaluateHandle((files) => {
    const transfer = new DataTransfer();
    for (const [name, text] of files) transfer.items.add(new File([text], name));
    return transfer;
  }, files);
  for (const step of steps) {
    await page.locator("main").dispatchEvent(step, { dataTransfer: transfer });
  }
}

test("dropped files come into the editor as documents of one text", withPage(wide, async (page) => {
  await whole(page);
  const files = [["one.yaml", configMap("one")], ["two.yml", `---\n${configMap("two")}`], [
    "three.json",
    JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "three" } }),
  ]];
  await drop(page, files, ["dragover"]);
  await page.getByTestId("drop").waitFor();
  await drop(page, files, ["drop"]);
  await page.getByTestId("drop").waitFor({ state: "detached" });
  await eventually(async () => (await page.getByTestId("editor").inputValue()).includes("three"), true);
  const created = (name) => `✓\nconfigmap/${name} created`;
  assert.deepEqual(await press(page, "apply"), ["one", "two", "three"].map(created));
}));

test("a file that is no manifest, or too large, is refused by its name", withPage(wide, async (page) => {
  await whole(page);
  await drop(page, [["cat.png", "…"]]);
  await eventually(() => page.getByTestId("notice").locator("code").innerText(), "cat.png: not a .yaml, .yml or .json file");
  await page.getByTestId("open-files").setInputFiles({
    name: "big.yaml",
    mimeType: "text/yaml",
    buffer: Buffer.alloc(3 * 1024 * 1024 + 1, "#"),
  });
  await eventually(() => page.getByTestId("notice").locator("code").innerText(), "big.yaml: more than 3 MiB");
  assert.equal(await page.getByTestId("editor").inputValue(), "");
}));

test("files are opened by a button", withPage(wide, async (page) => {
  await whole(page);
  await page.getByTestId("open-files").setInputFiles({
    name: "one.yaml",
    mimeType: "text/yaml",
    buffer: Buffer.from(configMap("opened")),
  });
  await eventually(() => page.getByTestId("editor").inputValue(), configMap("opened"));
  assert.deepEqual(await press(page, "apply"), ["✓\nconfigmap/opened created"]);
}));
