//! Whose a process is: the numbers by which the network of the machine tells its processes apart,
//! and the pods they belong to. No number is ever used twice.

use std::sync::Arc;

use imbl::OrdMap;
use network::Owner;
use sim::{Digest, Digestible};

/// All processes of a machine.
#[derive(Clone, Debug)]
pub(crate) struct Owners {
    pods: OrdMap<u64, Arc<str>>,
    /// Those that watch the API server.
    watching: OrdMap<u64, Arc<str>>,
    next: u64,
}

impl Owners {
    pub(crate) fn new() -> Self {
        Owners { pods: OrdMap::new(), watching: OrdMap::new(), next: 1 }
    }

    /// A number for a new process of the pod of that UID.
    pub(crate) fn add(&mut self, uid: &Arc<str>, watches: bool) -> Owner {
        let owner = self.next;
        self.next += 1;
        self.pods.insert(owner, uid.clone());
        if watches {
            self.watching.insert(owner, uid.clone());
        }
        Owner(owner)
    }

    /// The process has ended.
    pub(crate) fn remove(&mut self, owner: Owner) {
        self.pods.remove(&owner.0);
        self.watching.remove(&owner.0);
    }

    /// The UID of the pod that a process belongs to.
    pub(crate) fn pod(&self, owner: Owner) -> Option<Arc<str>> {
        self.pods.get(&owner.0).cloned()
    }

    /// The processes that watch the API server, with their pods.
    pub(crate) fn watching(&self) -> Vec<(Owner, Arc<str>)> {
        self.watching.iter().map(|(owner, uid)| (Owner(*owner), uid.clone())).collect()
    }
}

impl Digestible for Owners {
    /// Which there are follows from the pods that have them.
    fn digest(&self, digest: &mut Digest) {
        digest.u64(self.next);
    }
}
