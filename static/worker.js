// Runs the engine. Requests come in as bytes and go to the engine; its messages go out as bytes,
// at most one post in a frame. The engine works in slices of at most 10 ms, so that a request
// never waits long. A trap ends this worker: the page hears of it and starts another.
import init, { Engine } from "./engine.js";

const POST_INTERVAL_MS = 16;

let engine = null;
let dead = false;
let early = [];
let sliceTimer = 0;
let sliceQueued = false;
let postTimer = 0;
let lastPost = -Infinity;

// A message to ourselves is the only way to go on at once: timers are clamped to 4 ms.
const channel = new MessageChannel();
channel.port1.onmessage = () => {
  sliceQueued = false;
  guard(slice);
};

function guard(work) {
  if (dead) return;
  try {
    work();
  } catch (error) {
    dead = true;
    clearTimeout(sliceTimer);
    clearTimeout(postTimer);
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
    channel.port2.postMessage(null);
  }
}

function slice() {
  const wait = engine.slice(performance.now());
  post();
  if (wait >= 0) queueSlice(wait);
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
  const messages = engine.take_messages();
  if (messages === undefined) return;
  lastPost = performance.now();
  self.postMessage(messages, [messages.buffer]);
}

function command(request) {
  engine.command(request);
  queueSlice(0);
}

self.onmessage = (event) => {
  if (engine) guard(() => command(event.data));
  else early.push(event.data);
};

try {
  await init();
  engine = new Engine();
  for (const request of early) guard(() => command(request));
  early = [];
} catch (error) {
  dead = true;
  self.postMessage({ broken: String(error) });
}
