//! A component, and what it is given when it wakes.

use api::openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time as MetaTime};
use api::{Kinded, Status};
use apiserver::{ApiServer, Identity};
use sim::{Clock, Digest, Stream, Streams, Time};
use trace::{Trace, What};

use crate::Api;

/// A part of the cluster that reacts to watch events and timers: the scheduler, a kubelet, the
/// controller manager. The cluster holds each as a concrete field and wakes it when one of its
/// watches has something to deliver and when [`Component::next_wake`] says so.
pub trait Component {
    /// The component's name: `kube-scheduler`.
    fn name(&self) -> &str;

    /// Takes what its watches deliver and does what is due. One wake should be one step that a
    /// person can follow: one key reconciled, one pod scheduled.
    fn wake(&mut self, cx: &mut Context<'_>);

    /// When it wants to be woken without a watch event: at once, if that is not later than now;
    /// `None` if only a watch event can give it something to do.
    fn next_wake(&self) -> Option<Time>;

    /// What it has still to do of its own accord, in words, or `None` when it only waits for
    /// the world to change: a key to reconcile, an image on its way, a grace period. Renewing a
    /// lease and the wait of a crash-looping container do not count.
    fn busy(&self, now: Time) -> Option<String> {
        let _ = now;
        None
    }

    /// Adds everything its future depends on.
    fn digest(&self, digest: &mut Digest);
}

/// What a component is given when it wakes.
pub struct Context<'a> {
    /// The virtual instant.
    pub now: Time,
    /// The calendar of the cluster.
    pub clock: Clock,
    /// Which component is awake: watches that it opens wake it.
    pub owner: u32,
    /// The API server.
    pub server: &'a mut ApiServer,
    /// The seeded streams of the cluster.
    pub streams: &'a mut Streams,
    /// Where to record what happened.
    pub trace: &'a mut Trace,
}

impl Context<'_> {
    /// The same context for a while, to hand on within a value.
    pub fn reborrow(&mut self) -> Context<'_> {
        Context {
            now: self.now,
            clock: self.clock,
            owner: self.owner,
            server: self.server,
            streams: self.streams,
            trace: self.trace,
        }
    }

    /// Requests for one kind in one namespace (empty for cluster-scoped kinds), as `identity`.
    pub fn api<'c, T: Kinded>(&'c mut self, identity: &Identity, namespace: &str) -> Api<'c, T> {
        Api::new(self.server, self.trace, self.now, identity.clone(), namespace)
    }

    /// Runs one request.
    ///
    /// # Errors
    /// The API server's answer, when it refuses.
    pub fn request(&mut self, request: apiserver::Request) -> Result<apiserver::Response, Status> {
        self.server.handle(self.now, self.trace, request)
    }

    /// The stream of random numbers of that name. Use the component's own name.
    pub fn random(&mut self, name: &str) -> &mut Stream {
        self.streams.named(name)
    }

    /// Now, as `metav1.Time`: whole seconds.
    #[must_use]
    pub fn timestamp(&self) -> MetaTime {
        MetaTime(self.clock.timestamp(self.now))
    }

    /// Now, as `metav1.MicroTime`.
    #[must_use]
    pub fn micro_timestamp(&self) -> MicroTime {
        MicroTime(self.clock.micro_timestamp(self.now))
    }

    /// Says that something came up which this build does not hold. Nothing that happens from
    /// here on counts: see `cluster::Parts`.
    pub fn lack(&mut self, what: String) {
        self.server.lack(what);
    }

    /// Records that something happened.
    pub fn record(&mut self, what: What) {
        self.trace.record(what);
    }
}
