// Everything is reached without a mouse, and on a screen of 360 pixels.

import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, screenshot, withPage } from "./harness.mjs";
import { booted, column, list, map, speed } from "./site.mjs";

/** What has the focus, as it is named to those who cannot see it. */
function focused(page) {
  return page.evaluate(() => {
    const element = document.activeElement;
    const { testid } = element.dataset;
    const name = element.ariaLabel || element.innerText.slice(0, 40);
    // A focus that cannot be seen is of no use.
    const { outlineStyle, boxShadow } = getComputedStyle(element);
    const ring = element.matches(":focus-visible") && (outlineStyle !== "none" || boxShadow !== "none");
    return { testid, name: name.trim(), tag: element.localName, ring };
  });
}

/** Presses Tab until what a person looks for has the focus. */
async function tabTo(page, testid, key = "Tab") {
  const passed = [];
  for (let presses = 0; presses < 80; presses += 1) {
    await page.keyboard.press(key);
    const now = await focused(page);
    if (now.testid === testid) return;
    passed.push(now.testid ?? now.name);
  }
  throw new Error(`${key} leads to ${passed.join(", ")} and never to ${testid}`);
}


/** What the inspector shows of the events of a pod that has started. */
async function startedEvents(page) {
  const reasons = page.getByTestId("event").locator("strong");
  await eventually(async () => (await reasons.allInnerTexts()).at(-1), "Scheduled");
  assert((await reasons.allInnerTexts()).includes("Started"));
}

/** The row that the arrow keys have reached. */
function activeRow(page) {
  return page.getByTestId("grid").evaluate((grid) => {
    const id = grid.getAttribute("aria-activedescendant");
    return document.getElementById(id)?.dataset.name;
  });
}

test("a pod is made, read and deleted with the keyboard alone", withPage({}, async (page) => {
  await booted(page);
  await tabTo(page, "examples-menu");
  await page.keyboard.press("Enter");
  await tabTo(page, "example-web");
  await page.keyboard.press("Enter");
  // The menu is gone; the focus is where it was opened.
  await eventually(async () => (await focused(page)).testid, "examples-menu");
  await tabTo(page, "speed");
  for (let presses = 0; presses < 3; presses += 1) await page.keyboard.press("ArrowDown");
  assert.equal(await page.getByTestId("speed").inputValue(), "10");
  await tabTo(page, "open-files");
  await page.keyboard.press("Tab");
  assert.equal((await focused(page)).name, "Manifest in YAML");
  await page.keyboard.press("ControlOrMeta+Enter");
  await page.getByTestId("done").waitFor();
  await eventually(async () => (await map(page)).ready, 3);

  // Escape leaves the editor, the slash finds the filter.
  await page.keyboard.press("Escape");
  await page.keyboard.press("/");
  assert.equal((await focused(page)).testid, "filter");
  await page.keyboard.type("web-");
  await tabTo(page, "grid");
  await page.keyboard.press("ArrowDown");
  const name = await activeRow(page);
  await page.keyboard.press("Enter");
  await eventually(() => page.getByTestId("inspector-name").innerText(), name);
  await tabTo(page, "inspect-events", "Shift+Tab");
  await page.keyboard.press("Enter");
  await startedEvents(page);
  await tabTo(page, "delete-object");
  await page.keyboard.press("Enter");
  await page.getByTestId("gone").waitFor();
  await eventually(async () => (await column(page, "Name", "web-")).includes(name), false);
  await eventually(async () => (await map(page)).ready, 3);
  await screenshot(page, "by keyboard");
}));

test("Tab reaches all that can be pressed, and shows where it is", withPage({}, async (page) => {
  await booted(page);
  await page.getByTestId("card-web").click();
  await speed(page, 10);
  await list(page, "deployments");
  await eventually(() => column(page, "Ready", "web"), ["3/3"]);
  await page.getByTestId("grid").focus();
  await page.keyboard.press("Enter");
  await page.getByTestId("inspector-name").waitFor();
  const wanted = await page.evaluate(() =>
    [...document.querySelectorAll("button, select, input, [tabindex='0']")]
      .filter((element) => element.checkVisibility({ visibilityProperty: true }) && !element.disabled)
      .map((element) => element.dataset.testid || element.ariaLabel || element.innerText)
  );
  await page.evaluate(() => document.activeElement.blur());
  const reached = new Set();
  const unseen = new Set();
  for (let presses = 0; presses < 2 * wanted.length; presses += 1) {
    await page.keyboard.press("Tab");
    const { testid, name, tag, ring } = await focused(page);
    reached.add(testid || name);
    // In the editor it is the caret that shows where one is, and Escape that leads out.
    if (name === "Manifest in YAML") await page.keyboard.press("Escape");
    else if (!ring && tag !== "body") unseen.add(testid || name);
  }
  assert.deepEqual(wanted.filter((one) => !reached.has(one)), []);
  assert.deepEqual([...unseen], []);
}));

const narrow = { viewport: { width: 360, height: 740 }, hasTouch: true };

test("a pod is made, read and deleted by touch at 360 pixels", withPage(narrow, async (page) => {
  await booted(page);
  await speed(page, 10);
  const tap = (testid) => page.getByTestId(testid).tap();
  await tap("examples-menu");
  await tap("example-web");
  await tap("sheet-editor");
  await tap("apply");
  await page.getByTestId("done").waitFor();
  await screenshot(page, "narrow editor");
  await tap("sheet-dock");
  await page.getByTestId("filter").tap();
  await page.keyboard.type("web-");
  await eventually(() => column(page, "Ready", "web-"), ["1/1", "1/1", "1/1"]);
  await screenshot(page, "narrow list");
  const row = page.getByTestId("row").first();
  const name = await row.getAttribute("data-name");
  await row.tap();
  await eventually(() => page.getByTestId("inspector-name").innerText(), name);
  await tap("inspect-events");
  await startedEvents(page);
  await screenshot(page, "narrow events");
  const { x, width } = await page.getByTestId("event").first().boundingBox();
  assert(x >= 0 && x + width <= 360, `from ${x}, ${width} wide`);
  await tap("delete-object");
  await page.getByTestId("gone").waitFor();
  await tap("sheet-dock");
  await eventually(async () => (await column(page, "Name", "web-")).includes(name), false);
  await eventually(() => column(page, "Ready", "web-"), ["1/1", "1/1", "1/1"]);
}));
