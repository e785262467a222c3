// How the page looks: pictures for people, and what a machine can say about them.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { test } from "node:test";
import { eventually, screenshot, withPage } from "./harness.mjs";
import { booted, column, list, speed } from "./site.mjs";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const widths = [{ width: 1280, height: 800 }, { width: 360, height: 740 }];

for (const colorScheme of ["light", "dark"]) {
  for (const viewport of widths) {
    const name = `${colorScheme} ${viewport.width}`;
    const options = { colorScheme, viewport, hasTouch: viewport.width < 600 };
    test(`nothing is cut off and all is accessible: ${name}`, withPage(options, async (page) => {
      await booted(page);
      await screenshot(page, `empty ${name}`);
      await assertFits(page);
      await assertAccessible(page);
      await page.getByTestId("card-web").click();
      await speed(page, 10);
      await eventually(() => page.getByTestId("map").getAttribute("data-unscheduled"), "0");
      await eventually(async () => Number(await page.getByTestId("map").getAttribute("data-ready")) >= 3, true);
      await assertFits(page);
      await assertAccessible(page);
      await screenshot(page, `cluster ${name}`);
      if (viewport.width < 600) {
        for (const sheet of ["editor", "dock", "inspector"]) {
          await page.getByTestId(`sheet-${sheet}`).click();
          await assertFits(page);
          await assertAccessible(page);
          await screenshot(page, `${sheet} ${name}`);
          await page.getByTestId(`sheet-${sheet}`).click();
        }
      }
    }));
  }
}

/** WCAG 2.1, levels A and AA, as far as a program can tell: contrast, names, roles. */
async function assertAccessible(page) {
  await page.evaluate(axe);
  const violations = await page.evaluate(async () => {
    const { violations } = await axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"] });
    return violations.flatMap(({ help, nodes }) => nodes.map(({ html }) => `${help}: ${html}`));
  });
  assert.deepEqual(violations, []);
}

/** The page scrolls in no direction, and no button lies outside the window. */
async function assertFits(page) {
  const outside = await page.evaluate(() => {
    const { scrollWidth, scrollHeight } = document.documentElement;
    const found = [];
    if (scrollWidth > innerWidth) found.push(`the page is ${scrollWidth} wide`);
    if (scrollHeight > innerHeight) found.push(`the page is ${scrollHeight} high`);
    for (const button of document.querySelectorAll("button, select, input, textarea")) {
      const { left, right, width } = button.getBoundingClientRect();
      const seen = width > 0 && button.checkVisibility({ visibilityProperty: true });
      const scrolls = button.closest(".tabs, .grid, .menu-panel, .code, .plane");
      if (seen && !scrolls && (left < -1 || right > innerWidth + 1)) {
        found.push(`${button.ariaLabel ?? button.innerText} from ${left} to ${right}`);
      }
    }
    return found;
  });
  assert.deepEqual(outside, []);
}

test("the page speaks Chinese to those who read it, and remembers the choice", withPage({ locale: "zh-CN" }, async (page) => {
  await booted(page);
  assert.equal(await page.getAttribute("html", "lang"), "zh-Hans");
  await page.getByTestId("card-web").click();
  await speed(page, 10);
  await list(page, "pods");
  await eventually(() => column(page, "Ready", "web-"), ["1/1", "1/1", "1/1"]);
  assert.equal(await page.getByTestId("apply").innerText(), "应用");
  await screenshot(page, "chinese");
  await page.getByTestId("language").click();
  assert.equal(await page.getByTestId("apply").innerText(), "Apply");
  await page.reload();
  await booted(page);
  assert.equal(await page.getByTestId("apply").innerText(), "Apply");
}));

test("the theme changes at a press and is remembered", withPage({ colorScheme: "light" }, async (page) => {
  await booted(page);
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await page.getByTestId("theme").click();
  await eventually(async () => (await ground()) !== light, true);
  const dark = await ground();
  await page.reload();
  await booted(page);
  assert.equal(await ground(), dark);
}));

test("the map can be walked and a pod selected with the keyboard alone", withPage({}, async (page) => {
  await booted(page);
  await page.getByTestId("card-web").click();
  await speed(page, 10);
  await eventually(async () => Number(await page.getByTestId("map").getAttribute("data-ready")) >= 3, true);
  const surface = page.getByRole("listbox", { name: "Cluster map" });
  await surface.focus();
  const heard = page.getByTestId("map-option");
  for (let steps = 0; steps < 20 && !(await heard.innerText()).startsWith("Pod web-"); steps += 1) {
    await page.keyboard.press("ArrowDown");
  }
  const words = await heard.innerText();
  assert.match(words, /^Pod web-\S+, Ready, /);
  await page.keyboard.press("Enter");
  const name = words.slice("Pod ".length, words.indexOf(","));
  await eventually(() => page.getByTestId("inspector-name").innerText(), name);
}));
