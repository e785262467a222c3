// The page as its tests use it: what a person does there, and what a person can read there.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { eventually } from "./harness.mjs";

/** The text of an example that the page offers. */
export function example(name) {
  return readFile(new URL(`../../static/examples/${name}.yaml`, import.meta.url), "utf8");
}

/** Waits until all nodes are ready and the page offers something to do. */
export async function booted(page) {
  await page.getByTestId("welcome").waitFor();
}

/** How fast virtual time may run: one of the speeds on the transport bar. */
export async function speed(page, times) {
  await page.getByTestId("speed").selectOption(String(times));
}

/** Puts a text in the editor the way a person pastes it, in place of what is there. */
export async function paste(page, text) {
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.evaluate((copied) => navigator.clipboard.writeText(copied), text);
  await page.getByRole("textbox", { name: "Manifest in YAML" }).focus();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.press("ControlOrMeta+v");
}

/** Presses Apply and returns what the page says of it: one line for each object or problem. */
export async function apply(page, text) {
  await paste(page, text);
  return press(page, "apply");
}

/** Presses Apply or Delete in the editor and returns what the page says of it. */
export async function press(page, button) {
  const outcome = page.getByTestId("outcome");
  // The answer may read like the one before it: their requests' numbers tell them apart.
  const before = await outcome.getAttribute("data-request");
  await page.getByTestId(button).click();
  await eventually(async () => (await outcome.getAttribute("data-request")) !== before, true);
  const lines = await outcome.locator("li").allInnerTexts();
  return lines.map((line) => line.trim());
}

/** Applies a text of which nothing is refused. */
export async function create(page, text) {
  const outcome = await apply(page, text);
  assert.deepEqual(outcome.filter((line) => !line.startsWith("✓")), []);
}

/** Stops virtual time. */
export async function pause(page) {
  await page.getByRole("button", { name: "Pause", exact: true }).click();
  await page.getByRole("button", { name: "Play", exact: true }).waitFor();
}

/** Takes one step, and waits until the page has heard of it. */
export async function step(page) {
  const events = async () => Number(await page.getByTestId("clock").getAttribute("data-events"));
  const before = await events();
  const button = page.getByRole("button", { name: "Single step" });
  // By the keyboard: there are hundreds of them, and a mouse is slow.
  await button.focus();
  await page.keyboard.press("Enter");
  await eventually(events, before + 1);
}

/** Lets virtual time go on. */
export async function play(page) {
  await page.getByRole("button", { name: "Play", exact: true }).click();
  await page.getByRole("button", { name: "Pause", exact: true }).waitFor();
}

/** Opens one of the object lists. */
export async function list(page, kind) {
  const tab = page.getByTestId(`tab-${kind}`);
  if (await tab.count() > 0) await tab.click();
  else await page.getByTestId("tab-more").selectOption(kind);
}

/**
 * The rows of the open list that are in view, as objects: column title to text. The list is
 * narrowed to names that contain `filter`.
 */
export async function rows(page, filter = "") {
  const field = page.getByTestId("filter");
  if ((await field.inputValue()) !== filter) await field.fill(filter);
  return page.getByTestId("grid").evaluate((grid) => {
    const texts = (row, role) =>
      [...row.querySelectorAll(`[role=${role}]`)].map((cell) => cell.textContent.trim());
    const titles = texts(grid, "columnheader");
    return [...grid.querySelectorAll("[data-testid=row]")].map((row) =>
      Object.fromEntries(texts(row, "gridcell").map((text, index) => [titles[index], text]))
    );
  });
}

/** One column of the open list. */
export async function column(page, title, filter = "") {
  return (await rows(page, filter)).map((row) => row[title]);
}

/** Selects a row of the open list by its name. */
export async function select(page, name) {
  await page.locator(`[data-testid=row][data-name="${name}"]`).click();
  await eventually(() => page.getByTestId("inspector-name").innerText(), name);
}

/** Opens a list and selects the one row whose name begins so; returns the name. */
export async function selectIn(page, kind, start) {
  await list(page, kind);
  const named = async () =>
    (await column(page, "Name", start)).filter((name) => name.startsWith(start));
  await eventually(async () => (await named()).length, 1);
  const [name] = await named();
  await select(page, name);
  return name;
}

/** Opens a part of the inspector: `summary`, `yaml`, `events` or `logs`. */
export async function inspect(page, part) {
  await page.getByTestId(`inspect-${part}`).click();
  await page.getByTestId(`page-${part}`).waitFor();
}

/** The lines of the log that the inspector shows, without their times. */
export async function logLines(page) {
  return page.locator(".log-line span:last-child").allInnerTexts();
}

/** The YAML that the inspector shows. */
export async function yaml(page) {
  return page.getByTestId("yaml").innerText();
}

/** The numbers that the map shows: nodes; pods that are not the system's, ready ones, waiting ones. */
export async function map(page) {
  return page.getByTestId("map").evaluate(({ dataset }) => ({
    nodes: Number(dataset.nodes),
    pods: Number(dataset.pods),
    ready: Number(dataset.ready),
    unscheduled: Number(dataset.unscheduled),
  }));
}

/** The virtual clock, in milliseconds since boot. */
export async function clock(page) {
  return Number(await page.getByTestId("clock").getAttribute("data-milliseconds"));
}
