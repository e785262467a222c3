//! The engine as a browser's worker or Node holds it: a class [`Engine`] that takes commands,
//! runs in short slices and hands out messages, all as bytes of the protocol. It is built twice:
//! whole, and with what a cluster needs to boot, which a page loads first (`cluster::Parts`).
//!
//! It knows the cluster, its projection and the protocol. It must never decide anything about
//! the cluster by itself; the wall clock ends here, as a number that paces virtual time.

mod handover;
pub mod host;
mod inspection;
mod whole;

use protocol::{Command, Request};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::host::Host;

/// How long a slice of work takes at most, in milliseconds.
const SLICE_MS: f64 = 10.0;
/// How much memory is at hand when a slice begins, in bytes.
const RESERVE: usize = 16 << 20;

/// Sees to it that there is memory for a slice of work. The allocator would get it from the
/// browser by 64 KiB, and each time costs as much as a hundred events.
fn reserve() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(RESERVE)));
}

/// The engine with its cluster, if one was booted.
#[wasm_bindgen]
#[derive(Default)]
pub struct Engine {
    host: Host,
}

#[wasm_bindgen]
impl Engine {
    /// An engine without a cluster: the first command boots one.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new() -> Engine {
        Engine::default()
    }

    /// Takes one request of the page, as bytes of the protocol.
    pub fn command(&mut self, request: &[u8]) {
        self.host.command(request, now_ms());
    }

    /// Makes a cluster of that many nodes, in place of the one before.
    pub fn boot(&mut self, seed: u32, nodes: u32) {
        self.host.run(boot_request(seed, nodes), now_ms());
    }

    /// Works for a slice of at most 10 ms. Returns after how many milliseconds it wants the
    /// next slice; a negative number when only a command gives it something to do.
    pub fn slice(&mut self, now_ms: f64) -> f64 {
        reserve();
        self.host.slice(now_ms, SLICE_MS, &self::now_ms)
    }

    /// Takes what there is to tell the page, as bytes of the protocol.
    pub fn take_messages(&mut self) -> Option<Vec<u8>> {
        self.host.take_messages()
    }

    /// The digest of the cluster's state in hexadecimal; empty without a cluster.
    pub fn state_hash(&mut self) -> String {
        self.host.state_hash().unwrap_or_default()
    }

    /// Lets virtual time pass at once, in milliseconds: for tests and for programs that do not
    /// show anything.
    pub fn advance(&mut self, milliseconds: f64) {
        self.host.advance(milliseconds);
    }

    /// Lets virtual time pass at once until nothing moves, or for that many milliseconds.
    pub fn run_until_quiet(&mut self, bound_milliseconds: f64) {
        self.host.run_until_quiet(bound_milliseconds);
    }

    /// The session of the cluster, as JSON: all that is needed to have it again.
    #[must_use]
    pub fn session(&self) -> String {
        self.host.session().unwrap_or_default()
    }

    /// What came up that this build does not hold, if something did: then it does nothing more
    /// until a whole engine takes over.
    #[must_use]
    pub fn lacking(&self) -> Option<String> {
        self.host.lacking().map(str::to_string)
    }

    /// All that a whole engine needs to go on from here; to be called before the last messages
    /// are taken.
    pub fn hand_over(&mut self) -> String {
        self.host.hand_over().unwrap_or_default()
    }

    /// Panics on purpose, in the middle of an event, as a defect of the engine would: for the
    /// tests of what survives it.
    pub fn trap(&mut self) {
        self.host.trap();
    }
}

#[cfg(feature = "full")]
#[wasm_bindgen]
impl Engine {
    /// Gives the cluster a command, as JSON: `{"apply": {"text": "…"}}`. Returns what became of
    /// it, as JSON.
    pub fn execute(&mut self, command: &str) -> String {
        self.host.execute(command)
    }

    /// Makes the cluster of a session again. Returns what went wrong, or nothing.
    pub fn replay(&mut self, session: &str) -> Option<String> {
        self.host.replay(session).err()
    }

    /// Begins to make the cluster that another engine handed over, or goes on when it is the same
    /// but later. Returns what went wrong, or nothing.
    pub fn take_over(&mut self, handover: &str) -> Option<String> {
        self.host.take_over(handover).err()
    }

    /// Works on that for at most so many milliseconds. Returns whether it is done.
    ///
    /// # Errors
    /// When the other engine did something that this one would not have done.
    pub fn catch_up(&mut self, milliseconds: f64) -> Result<bool, String> {
        self.host.catch_up(milliseconds, &now_ms)
    }

    /// Goes on with the cluster that has arrived.
    pub fn go_on(&mut self) {
        self.host.go_on(now_ms());
    }
}

fn boot_request(seed: u32, nodes: u32) -> Request {
    Request { id: 0, command: Command::Boot { seed: seed.into(), nodes } }
}

/// Runs a benchmark by name and returns its result as JSON, or nothing if there is none of
/// that name.
#[cfg(feature = "full")]
#[wasm_bindgen]
#[must_use]
pub fn bench(name: &str) -> Option<String> {
    let onlooker = &mut projection::onlooker();
    let host = cluster::bench::Host { wall: &now_ms, pause: &reserve, onlooker };
    cluster::bench::run(name, host).map(|result| result.to_json())
}

#[cfg(target_arch = "wasm32")]
#[wasm_bindgen]
extern "C" {
    // Called by its path, not through an object: an object would be a JavaScript handle that
    // stays in the engine's memory, and a copy of that memory must work in another instance.
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn performance_now() -> f64;
}

/// Milliseconds of a clock that only goes forward.
fn now_ms() -> f64 {
    #[cfg(target_arch = "wasm32")]
    {
        performance_now()
    }
    #[cfg(not(target_arch = "wasm32"))]
    {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0.0, |span| span.as_secs_f64() * 1000.0)
    }
}
