//! When a cluster is quiet: for 30 virtual seconds nothing was committed but leases, the
//! heartbeats of nodes, events and the back-off of containers that crash again and again.

use api::openapi::api::core::v1::{Node, Pod};
use api::{KindId, Object};
use apiserver::Commit;
use sim::{Duration, Time};

const QUIET_SPAN: Duration = Duration::from_secs(30);

/// What was last committed that counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Quiet {
    last: Time,
    what: String,
}

impl Quiet {
    pub(crate) fn note(&mut self, commit: &Commit) {
        if counts(commit) {
            self.last = commit.time;
            let kind = commit.kind.get();
            self.what = format!("{}/{} changed", kind.singular, commit.key.name);
        }
    }

    pub(crate) fn disturb(&mut self, now: Time) {
        self.last = now;
        self.what = "a fault was made or mended".to_string();
    }

    pub(crate) fn moving(&self, now: Time) -> Option<String> {
        let span = now.since(self.last);
        (span < QUIET_SPAN).then(|| format!("{} {span} ago", self.what))
    }
}

fn counts(commit: &Commit) -> bool {
    match (commit.kind, &commit.old, &commit.new) {
        (KindId::LEASE | KindId::EVENT, ..) => false,
        (KindId::NODE, Some(old), Some(new)) => without_heartbeats(old) != without_heartbeats(new),
        (KindId::POD, Some(old), Some(new)) => !(is_backing_off(old) && is_backing_off(new)),
        _ => true,
    }
}

fn without_heartbeats(object: &Object) -> Option<Node> {
    let mut node = object.get::<Node>()?.clone();
    node.metadata.resource_version = None;
    for condition in node.status.iter_mut().flat_map(|status| &mut status.conditions).flatten() {
        condition.last_heartbeat_time = None;
    }
    Some(node)
}

/// Whether a container of the pod has been restarted and is between two runs, or in one that
/// may be as short as those before.
fn is_backing_off(object: &Object) -> bool {
    let statuses = object.get::<Pod>().and_then(|pod| pod.status.as_ref());
    let mut containers = statuses.iter().flat_map(|status| {
        status.init_container_statuses.iter().chain(&status.container_statuses).flatten()
    });
    containers.any(|container| {
        let waiting = container.state.as_ref().and_then(|state| state.waiting.as_ref());
        container.restart_count > 0
            || waiting.is_some_and(|waiting| {
                matches!(waiting.reason.as_deref(), Some("ImagePullBackOff" | "ErrImagePull"))
            })
    })
}
