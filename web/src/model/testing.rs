//! Rows for tests.

use protocol::{
    Batch, ConditionStatus, Delta, EventKind, EventRow, NodeRow, ObjectRef, PodRow, PodState,
    Resources,
};

/// A pod whose uid and name are `uid`.
pub fn pod(uid: &str, node: Option<&str>, state: PodState) -> PodRow {
    PodRow {
        uid: uid.into(),
        namespace: "default".into(),
        name: uid.into(),
        node: node.map(str::to_owned),
        status: "Running".into(),
        state,
        progress: None,
        message: String::new(),
        ready_containers: u32::from(state == PodState::Ready),
        total_containers: 1,
        restarts: 0,
        ip: String::new(),
        requests: Resources::default(),
        owner: None,
        created_ms: 0,
        containers: vec![],
    }
}

/// A ready node.
pub fn node(name: &str) -> NodeRow {
    NodeRow {
        name: name.into(),
        uid: name.into(),
        status: "Ready".into(),
        ready: ConditionStatus::True,
        unschedulable: false,
        failed: false,
        kubelet_stopped: false,
        roles: "<none>".into(),
        version: "v1.37.0".into(),
        internal_ip: "10.0.0.1".into(),
        allocatable: Resources { cpu_milli: 4000, memory_bytes: 8 << 30, pods: 110 },
        requested: Resources::default(),
        conditions: vec![],
        taints: vec![],
        created_ms: 0,
    }
}

/// An Event about a pod.
pub fn event(uid: &str, last_ms: i64) -> EventRow {
    EventRow {
        uid: uid.into(),
        namespace: "default".into(),
        object: ObjectRef {
            api_version: "v1".into(),
            kind: "Pod".into(),
            namespace: "default".into(),
            name: "a".into(),
        },
        kind: EventKind::Normal,
        reason: "Scheduled".into(),
        message: "Successfully assigned default/a to node-1".into(),
        count: 1,
        source: "default-scheduler".into(),
        first_ms: last_ms,
        last_ms,
    }
}

/// A batch.
pub fn batch(sequence: u64, deltas: Vec<Delta>) -> Batch {
    Batch {
        sequence,
        reset: false,
        now_ms: 0,
        running: true,
        speed_achieved: 1.0,
        behind: false,
        quiet: false,
        events_handled: 0,
        deltas,
        packets: vec![],
        packets_left_off: 0,
        lanes: vec![],
        probes: vec![],
    }
}
