//! An API server and a clock, to wake single components by hand in the tests of the crates that
//! hold them. The whole cluster, with lagging watches, is the crate `cluster`.

use api::Kinded;
use api::openapi::api::core::v1::{Namespace, ServiceAccount};
use api::openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
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

    /// Makes a namespace and its service account `default`, without which it takes no pods: what
    /// the service account controller does in a whole cluster.
    ///
    /// # Panics
    /// When there is such a namespace already.
    pub fn create_namespace(&mut self, name: &str) {
        let named = |name: &str| ObjectMeta { name: Some(name.into()), ..ObjectMeta::default() };
        let namespace = Namespace { metadata: named(name), ..Namespace::default() };
        self.api::<Namespace>("").create(namespace).expect("the namespace is new");
        let account = ServiceAccount { metadata: named("default"), ..ServiceAccount::default() };
        self.api::<ServiceAccount>(name).create(account).expect("the namespace is new");
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
