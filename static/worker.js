// Runs the engine. Requests come in as bytes and go to the engine; its messages go out as bytes,
// at most one post in a frame. The engine works in slices of at most 10 ms, so that a request
// never waits long. A trap ends this worker: the page hears of it and starts another.
//
// There are two builds of the engine. The small one boots the cluster; the whole one is loaded
// when the page says so, or when the small one lacks something. It replays the session beside the
// small one until it stands where that stands, and takes its place.
import init, { Engine } from "./engine-core.js";

const POST_INTERVAL_MS = 16;
const SLICE_MS = 10;
/** How long a person waits without being told what for. */
const PATIENCE_MS = 300;

let engine = null;
let dead = false;
let early = [];
let sliceTimer = 0;
let sliceQueued = false;
let postTimer = 0;
let lastPost = -Infinity;

/** Whether the engine is the whole one. */
let whole = false;
/** Whether the whole engine is being loaded, and how often that was tried. */
let loading = false;
let attempts = 0;
/** The whole engine while it catches up, and whether the small one stands still for it. */
let successor = null;
let standing = false;
/** Whether something waits for the whole engine. */
let lacking = false;
let patienceTimer = 0;

// A message to ourselves is the only way to go on at once: timers are clamped to 4 ms.
function atOnce(work) {
  const channel = new MessageChannel();
  channel.port1.onmessage = () => guard(work);
  return () => channel.port2.postMessage(null);
}

const sliceAtOnce = atOnce(() => {
  sliceQueued = false;
  slice();
});
const catchUpAtOnce = atOnce(catchUp);

function guard(work) {
  if (dead) return;
  try {
    work();
  } catch (error) {
    dead = true;
    clearTimeout(sliceTimer);
    clearTimeout(postTimer);
    clearTimeout(patienceTimer);
    const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    self.postMessage({ trap: message });
  }
}

function queueSlice(delay) {
  clearTimeout(sliceTimer);
  if (delay > 0) {
    sliceTimer = setTimeout(() => guard(slice), delay);
  } else if (!sliceQueued) {
    sliceQueued = true;
    sliceAtOnce();
  }
}

function slice() {
  if (standing) return;
  const wait = engine.slice(performance.now());
  post();
  if (!whole && engine.lacking() !== undefined) lack();
  else if (wait >= 0) queueSlice(wait);
}

function post() {
  const left = lastPost + POST_INTERVAL_MS - performance.now();
  if (left > 0) {
    if (!postTimer) {
      postTimer = setTimeout(() => {
        postTimer = 0;
        guard(post);
      }, left);
    }
    return;
  }
  postNow();
}

function postNow() {
  const messages = engine.take_messages();
  if (messages === undefined) return;
  lastPost = performance.now();
  self.postMessage(messages, [messages.buffer]);
}

function command(request) {
  engine.command(request);
  queueSlice(0);
}

/** Something waits for the whole engine; the page is told when that takes a while. */
function lack() {
  if (!lacking) {
    lacking = true;
    patienceTimer = setTimeout(() => self.postMessage({ loading: true }), PATIENCE_MS);
  }
  load();
}

function noLongerLacking() {
  lacking = false;
  clearTimeout(patienceTimer);
  self.postMessage({ loading: false });
}

async function load() {
  if (whole || loading || successor) return;
  loading = true;
  try {
    // A module that could not be fetched once is not fetched again under the same address.
    const again = attempts === 0 ? "" : `?${attempts}`;
    attempts += 1;
    const glue = await import(`./engine-full.js${again}`);
    await glue.default();
    guard(() => follow(new glue.Engine()));
  } catch (error) {
    if (lacking) {
      noLongerLacking();
      self.postMessage({ unreachable: String(error) });
    }
  } finally {
    loading = false;
  }
}

function follow(next) {
  successor = next;
  if (handOver()) catchUpAtOnce();
  else takePlace();
}

/** Tells the whole engine where the small one is; says whether there is a cluster at all. */
function handOver() {
  const handover = engine.hand_over();
  if (handover === "") return false;
  const wrong = successor.take_over(handover);
  if (wrong !== undefined) throw new Error(wrong);
  return true;
}

/** One slice of the replay. The small engine has its own between them until the replay is there. */
function catchUp() {
  if (!successor.catch_up(SLICE_MS)) {
    catchUpAtOnce();
  } else if (standing) {
    takePlace();
  } else {
    standing = true;
    handOver();
    catchUpAtOnce();
  }
}

function takePlace() {
  postNow();
  engine.free();
  engine = successor;
  engine.go_on();
  [whole, standing, successor] = [true, false, null];
  if (lacking) noLongerLacking();
  const requests = early;
  early = [];
  for (const request of requests) engine.command(request);
  queueSlice(0);
}

self.onmessage = ({ data }) => {
  if (data === "load") guard(lacking || !engine ? () => {} : resume);
  else if (engine && !standing) guard(() => command(data));
  else early.push(data);
};

/** The page wants the whole engine: the cluster is up, or a person tries again. */
function resume() {
  if (!whole && engine.lacking() !== undefined) lack();
  else load();
}

try {
  await init();
  engine = new Engine();
  for (const request of early) guard(() => command(request));
  early = [];
} catch (error) {
  dead = true;
  self.postMessage({ broken: String(error) });
}
