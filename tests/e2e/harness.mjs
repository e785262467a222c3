// What every end-to-end test begins with: the site, a real browser, a page whose errors count.
//
// `cargo xtask test` serves the site and names it in TABERNETES_URL. Run alone (`npm test`), this
// module starts `cargo xtask serve` on a free port.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const root = fileURLToPath(new URL("../../", import.meta.url));
const output = fileURLToPath(new URL("output/", import.meta.url));

/** How long the page may take for one thing that a test waits for, in milliseconds. */
const PATIENCE_MS = 30_000;

let server = null;

async function startServer() {
  const arguments_ = ["xtask", "serve", "--port", "0"];
  server = spawn("cargo", arguments_, { cwd: root, stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface({ input: server.stdout })) {
    if (line.startsWith("http://")) return line;
  }
  throw new Error("cargo xtask serve ended without an address");
}

const chromiumPath = process.env.TABERNETES_CHROMIUM
  ?? ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
assert(chromiumPath, "no Chromium: set TABERNETES_CHROMIUM to its program");

/** The address of the site. */
export const site = process.env.TABERNETES_URL ?? await startServer();

const browser = await chromium.launch({
  executablePath: chromiumPath,
  // Chromium's own sandbox does not start for root, as in a container.
  chromiumSandbox: process.getuid?.() !== 0,
  args: ["--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking"],
});

after(async () => {
  await browser.close();
  server?.kill();
});

/**
 * The body of a test that has a page of its own: `test("…", withPage({}, async (page, t) => …))`.
 * The test fails, whatever else it does, when the page logged an error,
 * threw one, broke the content security policy, or asked another host for something.
 */
export function withPage(options, body) {
  const { viewport, colorScheme, locale, opened = true, allowedErrors = [] } = options;
  return async (t) => {
    const context = await browser.newContext({
      viewport: viewport ?? { width: 1280, height: 800 },
      colorScheme: colorScheme ?? "light",
      locale: locale ?? "en-US",
      reducedMotion: options.reducedMotion ?? "no-preference",
      hasTouch: options.hasTouch ?? false,
    });
    context.setDefaultTimeout(PATIENCE_MS);
    const page = await context.newPage();
    const errors = [];
    const note = (text) => {
      if (!allowedErrors.some((allowed) => allowed.test(text))) errors.push(text);
    };
    page.on("console", (message) => {
      if (message.type() === "error") note(`console: ${message.text()}`);
    });
    page.on("pageerror", (error) => note(`thrown: ${error}`));
    page.on("requestfailed", (request) => note(`request failed: ${request.url()}`));
    page.on("request", (request) => {
      const url = request.url();
      const own = [site, "data:", "blob:"].some((start) => url.startsWith(start));
      if (!own) note(`asks another host: ${url}`);
    });
    try {
      if (opened) await page.goto(site, { waitUntil: "load" });
      await body(page, t);
    } catch (error) {
      await screenshot(page, `failed ${t.name}`);
      throw errors.length > 0 ? new Error(`${error}\n${errors.join("\n")}`) : error;
    } finally {
      await context.close();
    }
    assert.deepEqual(errors, [], "the page had errors");
  };
}

/** A picture of the page in tests/e2e/output/, for people to look at. */
export async function screenshot(page, name) {
  await mkdir(output, { recursive: true });
  await page.screenshot({ path: `${output}${name.replaceAll(/[^\w-]+/g, "-")}.png` });
}

/**
 * The text of a file of the corpus that TABERNETES_CORPUS points to. Without it the test is
 * skipped, which the runner reports, and this returns null.
 */
export async function corpus(t, name) {
  const folder = process.env.TABERNETES_CORPUS;
  if (!folder) {
    t.skip("TABERNETES_CORPUS is not set");
    return null;
  }
  return readFile(`${folder}/${name}`, "utf8");
}

/** Waits until a question has the wanted answer; reports the last answer when it never has. */
export async function eventually(ask, wanted, patienceMs = PATIENCE_MS) {
  const end = performance.now() + patienceMs;
  // Most of what is waited for is there at once, or not for a while.
  for (let pause = 5; ; pause = Math.min(2 * pause, 50)) {
    const answer = await ask();
    try {
      assert.deepEqual(answer, wanted);
      return;
    } catch (error) {
      if (performance.now() > end) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}
