//! The kinds table: every kind the cluster knows, one file and one line each.

use serde_json::Value;

use crate::decode::{DecodeError, decode_typed};
use crate::{Kind, KindId, Object, Resource, Strategy};

mod config_map;
mod controller_revision;
mod cron_job;
mod daemon_set;
mod deployment;
mod disabled;
mod endpoint_slice;
mod endpoints;
mod event;
mod job;
mod lease;
mod limit_range;
mod namespace;
mod node;
mod persistent_volume;
mod persistent_volume_claim;
mod pod;
mod pod_disruption_budget;
mod printing;
mod priority_class;
mod replica_set;
mod resource_quota;
mod secret;
mod service;
mod service_account;
mod stateful_set;
mod storage_class;

pub use pod::qos::class as quality_of_service;

/// A typed kind of the table.
pub trait Kinded: Resource {
    /// Its id in the table.
    const ID: KindId;
    /// What becomes of its objects.
    type Strategy: Strategy<Object = Self>;
}

/// Reads an object of one kind, and adds the paths of the fields that it does not know.
type Decoder = fn(Value, &mut Vec<String>) -> Result<Object, DecodeError>;

macro_rules! kinds {
    ($($constant:ident => $strategy:ty,)*) => {
        /// Positions in the table, in the order of its lines.
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        enum Position { $($constant,)* }

        impl KindId {
            $(
                #[doc = concat!("The kind that `", stringify!($strategy), "` describes.")]
                pub const $constant: KindId = KindId(Position::$constant as u16);
            )*
        }

        $(
            impl Kinded for <$strategy as crate::Strategy>::Object {
                const ID: KindId = KindId::$constant;
                type Strategy = $strategy;
            }
        )*

        /// All kinds, in the order of their ids.
        pub(crate) static TABLE: &[Kind] = &[$(Kind::of::<$strategy>(),)*];

        /// What reads objects of each kind from JSON. Not in the table: who reads none does not
        /// hold the code either.
        pub(crate) static DECODERS: &[Decoder] =
            &[$(decode_typed::<<$strategy as crate::Strategy>::Object>,)*];

        /// An object of each kind with all its fields.
        #[cfg(test)]
        pub(crate) fn whole() -> Vec<(&'static Kind, serde_json::Value)> {
            use crate::decode::whole::whole;
            vec![$((
                KindId::$constant.get(),
                whole::<<$strategy as crate::Strategy>::Object>(),
            ),)*]
        }
    };
}

kinds! {
    CONFIG_MAP => config_map::ConfigMaps,
    EVENT => event::Events,
    NAMESPACE => namespace::Namespaces,
    NODE => node::Nodes,
    POD => pod::Pods,
    SECRET => secret::Secrets,
    SERVICE_ACCOUNT => service_account::ServiceAccounts,
    DEPLOYMENT => deployment::Deployments,
    REPLICA_SET => replica_set::ReplicaSets,
    LEASE => lease::Leases,
    SERVICE => service::Services,
    ENDPOINTS => endpoints::EndpointsKind,
    ENDPOINT_SLICE => endpoint_slice::EndpointSlices,
    PRIORITY_CLASS => priority_class::PriorityClasses,
    DAEMON_SET => daemon_set::DaemonSets,
    CONTROLLER_REVISION => controller_revision::ControllerRevisions,
    STATEFUL_SET => stateful_set::StatefulSets,
    JOB => job::Jobs,
    CRON_JOB => cron_job::CronJobs,
    POD_DISRUPTION_BUDGET => pod_disruption_budget::PodDisruptionBudgets,
    RESOURCE_QUOTA => resource_quota::ResourceQuotas,
    LIMIT_RANGE => limit_range::LimitRanges,
    PERSISTENT_VOLUME_CLAIM => persistent_volume_claim::PersistentVolumeClaims,
    PERSISTENT_VOLUME => persistent_volume::PersistentVolumes,
    STORAGE_CLASS => storage_class::StorageClasses,
}
