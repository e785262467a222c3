//! An API server and a clock, to wake single components by hand in the tests of the crates that
//! hold them. The whole cluster, with lagging watches, is the crate `cluster`.

use api::Kinded;
use apiserver::{ApiServer, Identity};
use sim::{Clock, Duration, Streams, Time};
use trace::Trace;

use crate::{Api, Component, Context};

/// The calendar time at which test clusters begin: 2026-01-01T00:00:00Z.
pub const EPOCH_SECONDS: i64 = 1_767_225_600;

/// An API server with a clock.
pub struct TestCluster {
    /// The API server.
    pub server: ApiServer,
    /// The seeded streams.
    pub streams: Streams,
    /// What happened.
    pub trace: Trace,
    /// The virtual instant.
    pub now: Time,
}

impl TestCluster {
    /// A cluster whose store holds nothing.
    #[must_use]
    pub fn new() -> Self {
        TestCluster {
            server: ApiServer::new(1, Clock::new(EPOCH_SECONDS)),
            streams: Streams::new(1),
            trace: Trace::new(1000),
            now: Time::ZERO,
        }
    }

    /// What a component is given, as component number `owner`.
    pub fn context(&mut self, owner: u32) -> Context<'_> {
        Context {
            now: self.now,
            clock: Clock::new(EPOCH_SECONDS),
            owner,
            server: &mut self.server,
            streams: &mut self.streams,
            trace: &mut self.trace,
        }
    }

    /// Requests for one kind in one namespace, as the administrator.
    pub fn api<T: Kinded>(&mut self, namespace: &str) -> Api<'_, T> {
        Api::new(&mut self.server, &mut self.trace, self.now, Identity::administrator(), namespace)
    }

    /// Wakes every component once a millisecond for the time given.
    pub fn run(&mut self, components: &mut [&mut dyn Component], span: Duration) {
        let end = self.now + span;
        while self.now < end {
            self.now += Duration::from_millis(1);
            for (owner, component) in (0..).zip(components.iter_mut()) {
                component.wake(&mut self.context(owner));
            }
        }
    }
}

impl Default for TestCluster {
    fn default() -> Self {
        TestCluster::new()
    }
}
