// A reporter for Node's test runner: one line of JSON for each test that has no tests inside it.
// `cargo xtask test` counts them.
export default async function* reporter(source) {
  for await (const event of source) {
    if (event.type !== "test:pass" && event.type !== "test:fail") continue;
    const { name, file, details, skip } = event.data;
    if (details?.type === "suite") continue;
    const skipped = skip !== undefined && skip !== false;
    const outcome = event.type === "test:fail" ? "failed" : skipped ? "skipped" : "passed";
    const reason = typeof skip === "string" ? skip : "";
    yield `${JSON.stringify({ name, file, outcome, reason })}\n`;
  }
}
