//! Whose a process is: the numbers by which the network of the machine tells its processes apart,
//! and the pods they belong to. No number is ever used twice.

use std::sync::Arc;

use network::Owner;
use sim::{Digest, Digestible, OrdMap};

/// All processes of a machine.
#[derive(Clone, Debug)]
pub(crate) struct Owners {
    pods: OrdMap<u64, Arc<str>>,
    /// Those that watch the API server.
    watching: OrdMap<u64, Arc<str>>,
    /// Those that are components of the control plane.
    components: OrdMap<u64, &'static str>,
    components_changed: bool,
    next: u64,
}

impl Owners {
    pub(crate) fn new() -> Self {
        Owners {
            pods: OrdMap::new(),
            watching: OrdMap::new(),
            components: OrdMap::new(),
            components_changed: false,
            next: 1,
        }
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

    /// Notes that a process is a component of the control plane.
    pub(crate) fn set_component(&mut self, owner: Owner, name: &'static str) {
        self.components.insert(owner.0, name);
        self.components_changed = true;
    }

    /// The components of the control plane that run.
    pub(crate) fn components(&self) -> impl Iterator<Item = &'static str> {
        self.components.values().copied()
    }

    /// Whether components began or ended since this was last asked.
    pub(crate) fn take_components_changed(&mut self) -> bool {
        std::mem::take(&mut self.components_changed)
    }

    /// The process has ended.
    pub(crate) fn remove(&mut self, owner: Owner) {
        self.components_changed |= self.components.remove(&owner.0).is_some();
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
