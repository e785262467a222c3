//! Who used what of the API: the raw material of roles.

use std::sync::Arc;

use api::KindId;
use sim::SmallSet;

use crate::{Identity, Request, Subresource, Verb};

/// One use of the API that an identity has made: the raw material of its role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Usage {
    /// Who.
    pub user: Arc<str>,
    /// The verb in RBAC's words.
    pub verb: &'static str,
    /// `resource.group/subresource`, without the parts that are empty.
    pub resource: String,
}

/// All uses so far. It decides nothing and is no part of the state.
#[derive(Clone, Debug, Default)]
pub(crate) struct Audit {
    used: SmallSet<(Arc<str>, Verb, KindId, Subresource)>,
}

impl Audit {
    pub(crate) fn note(&mut self, request: &Request) {
        self.note_use(&request.identity, request.verb, request.kind, request.subresource);
    }

    pub(crate) fn note_use(
        &mut self,
        identity: &Identity,
        verb: Verb,
        kind: KindId,
        subresource: Subresource,
    ) {
        let used = (identity.user.clone(), verb, kind, subresource);
        if !self.used.contains(&used) {
            self.used.insert(used);
        }
    }

    pub(crate) fn usages(&self) -> SmallSet<Usage> {
        let usage = |(user, verb, kind, subresource): &(Arc<str>, Verb, KindId, Subresource)| {
            let mut resource = kind.get().group_resource();
            if *subresource != Subresource::None {
                resource.push('/');
                resource.push_str(subresource.word());
            }
            Usage { user: user.clone(), verb: verb.word(), resource }
        };
        self.used.iter().map(usage).collect()
    }
}
