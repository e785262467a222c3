//! Runs the plugins of the profile at their extension points.
//!
//! Upstream: pkg/scheduler/framework/runtime/framework.go

use sim::{SmallSet, Sort};

use super::{
    BindPlugin, ClusterEvent, Code, CycleState, EventObject, FilterPlugin, Handle, Hint, NodeInfo,
    NodeToStatus, PermitPlugin, Plugin, PodInfo, PostBindPlugin, PostFilterContext,
    PostFilterPlugin, PostFilterResult, PreBindPlugin, PreEnqueuePlugin, PreFilterPlugin,
    PreScorePlugin, QueueSortPlugin, QueuedPodInfo, ReservePlugin, ScorePlugin, Status,
};
use crate::queue::Nominator;

type Named<T> = Vec<(&'static str, T)>;

/// The plugins of a profile, by extension point, in their order.
pub struct Framework {
    plugins: &'static [&'static dyn Plugin],
    queue_sort: Option<&'static dyn QueueSortPlugin>,
    pre_enqueue: Named<&'static dyn PreEnqueuePlugin>,
    pre_filter: Named<&'static dyn PreFilterPlugin>,
    filter: Named<&'static dyn FilterPlugin>,
    post_filter: Named<&'static dyn PostFilterPlugin>,
    pre_score: Named<&'static dyn PreScorePlugin>,
    score: Named<(i64, &'static dyn ScorePlugin)>,
    reserve: Named<&'static dyn ReservePlugin>,
    permit: Named<&'static dyn PermitPlugin>,
    pre_bind: Named<&'static dyn PreBindPlugin>,
    bind: Named<&'static dyn BindPlugin>,
    post_bind: Named<&'static dyn PostBindPlugin>,
}

/// The scores that one plugin gave the feasible nodes, in the nodes' order.
#[derive(Clone, Debug)]
pub struct NodePluginScores {
    /// The plugin.
    pub plugin: &'static str,
    /// Its weight.
    pub weight: i64,
    /// What it said.
    pub raw: Vec<i64>,
    /// What became of that when it was brought between 0 and 100.
    pub normalized: Vec<i64>,
}

impl Framework {
    /// The framework of the plugins, in their order.
    #[must_use]
    pub fn new(plugins: &'static [&'static dyn Plugin]) -> Self {
        fn at<T>(
            plugins: &'static [&'static dyn Plugin],
            point: impl Fn(&'static dyn Plugin) -> Option<T>,
        ) -> Named<T> {
            plugins.iter().filter_map(|plugin| Some((plugin.name(), point(*plugin)?))).collect()
        }
        Framework {
            plugins,
            queue_sort: plugins.iter().find_map(|plugin| plugin.as_queue_sort()),
            pre_enqueue: at(plugins, |plugin| plugin.as_pre_enqueue()),
            pre_filter: at(plugins, |plugin| plugin.as_pre_filter()),
            filter: at(plugins, |plugin| plugin.as_filter()),
            post_filter: at(plugins, |plugin| plugin.as_post_filter()),
            pre_score: at(plugins, |plugin| plugin.as_pre_score()),
            score: at(plugins, |plugin| Some((plugin.weight(), plugin.as_score()?))),
            reserve: at(plugins, |plugin| plugin.as_reserve()),
            permit: at(plugins, |plugin| plugin.as_permit()),
            pre_bind: at(plugins, |plugin| plugin.as_pre_bind()),
            bind: at(plugins, |plugin| plugin.as_bind()),
            post_bind: at(plugins, |plugin| plugin.as_post_bind()),
        }
    }

    /// Where a pod stands in the active queue.
    #[must_use]
    pub fn position(&self, pod: &QueuedPodInfo) -> (i64, sim::Time) {
        self.queue_sort.map_or((0, pod.timestamp), |plugin| plugin.position(pod))
    }

    /// The first plugin that keeps the pod from the active queue.
    #[must_use]
    pub fn run_pre_enqueue(&self, pod: &PodInfo) -> Option<&'static str> {
        let mut gates = self.pre_enqueue.iter();
        gates.find(|(_, plugin)| !plugin.pre_enqueue(pod).is_success()).map(|(name, _)| *name)
    }

    /// Whether a plugin registered the event.
    #[must_use]
    pub fn registers(&self, plugin: &str, event: ClusterEvent) -> bool {
        self.events_of(plugin).any(|registered| registered.event.matches(event))
    }

    fn events_of(&self, plugin: &str) -> impl Iterator<Item = &'static super::EventWithHint> {
        let plugin = self.plugins.iter().find(|known| known.name() == plugin);
        plugin.map(|plugin| plugin.events_to_register()).unwrap_or_default().iter()
    }

    /// Whether the event may help a pod that the plugin turned away.
    #[must_use]
    pub fn hint(
        &self,
        plugin: &str,
        pod: &PodInfo,
        event: ClusterEvent,
        object: &EventObject,
    ) -> Hint {
        let helps = self
            .events_of(plugin)
            .filter(|registered| registered.event.matches(event))
            .any(|registered| registered.hint.is_none_or(|hint| hint(pod, object) == Hint::Queue));
        if helps { Hint::Queue } else { Hint::Skip }
    }

    /// Runs the PreFilter plugins: the nodes that alone can pass, what was said, and which
    /// plugins named nodes.
    pub fn run_pre_filters(
        &self,
        handle: Handle<'_>,
        state: &mut CycleState,
        pod: &PodInfo,
    ) -> (Option<SmallSet<String>>, Status, Vec<&'static str>) {
        let mut names: Option<SmallSet<String>> = None;
        let mut naming: Vec<&'static str> = Vec::new();
        for (name, plugin) in &self.pre_filter {
            let (nodes, status) = plugin.pre_filter(handle, state, pod);
            if status.is_skip() {
                state.skip_filter(name);
                continue;
            }
            if !status.is_success() {
                return (None, status.with_plugin(name), naming);
            }
            let Some(nodes) = nodes else { continue };
            naming.push(name);
            let merged: SmallSet<String> = match names.take() {
                None => nodes,
                Some(known) => known.intersection(&nodes).cloned().collect(),
            };
            let none_left = merged.is_empty();
            names = Some(merged);
            if none_left {
                let message = match naming.as_slice() {
                    [one] => format!("node(s) didn't satisfy plugin {one}"),
                    _ => {
                        naming.order();
                        let naming = naming.join(" ");
                        format!("node(s) didn't satisfy plugin(s) [{naming}] simultaneously")
                    }
                };
                return (names, Status::unresolvable(message).with_plugin(name), naming);
            }
        }
        (names, Status::SUCCESS, naming)
    }

    /// Tells the PreFilter plugins that take part in this cycle of a pod that is taken to be on
    /// the node. Upstream: RunPreFilterExtensionAddPod.
    pub fn run_add_pod(
        &self,
        state: &mut CycleState,
        pod: &PodInfo,
        other: &PodInfo,
        node: &NodeInfo,
    ) {
        for (name, plugin) in &self.pre_filter {
            if !state.skips_filter(name) {
                plugin.add_pod(state, pod, other, node);
            }
        }
    }

    /// Tells the PreFilter plugins that take part in this cycle of a pod that is taken to be gone
    /// from the node. Upstream: RunPreFilterExtensionRemovePod.
    pub fn run_remove_pod(
        &self,
        state: &mut CycleState,
        pod: &PodInfo,
        other: &PodInfo,
        node: &NodeInfo,
    ) {
        for (name, plugin) in &self.pre_filter {
            if !state.skips_filter(name) {
                plugin.remove_pod(state, pod, other, node);
            }
        }
    }

    /// Runs the filters on a node until one rejects it.
    #[must_use]
    pub fn run_filters(&self, state: &CycleState, pod: &PodInfo, node: &NodeInfo) -> Status {
        for (name, plugin) in &self.filter {
            if state.skips_filter(name) {
                continue;
            }
            let status = plugin.filter(state, pod, node);
            if !status.is_success() {
                return status.with_plugin(name);
            }
        }
        Status::SUCCESS
    }

    /// Runs the filters as if the pods of equal or higher priority that were promised the node
    /// ran on it, and then as it is: it must pass both ways, since those pods may never come.
    #[must_use]
    pub fn run_filters_with_nominated_pods(
        &self,
        state: &CycleState,
        pod: &PodInfo,
        node: &NodeInfo,
        nominated: &Nominator,
    ) -> Status {
        let promised = nominated.pods_for_node(&node.name);
        let promised: Vec<&PodInfo> = promised
            .filter(|other| other.priority() >= pod.priority() && other.uid() != pod.uid())
            .collect();
        if !promised.is_empty() {
            let (mut crowded, mut state) = (node.clone(), state.clone());
            for other in promised {
                crowded.add_pod(other.clone());
                self.run_add_pod(&mut state, pod, other, &crowded);
            }
            let status = self.run_filters(&state, pod, &crowded);
            if !status.is_success() {
                return status;
            }
        }
        self.run_filters(state, pod, node)
    }

    /// The names of the filter plugins, in their order.
    pub fn filters(&self) -> impl Iterator<Item = &'static str> {
        self.filter.iter().map(|(name, _)| *name)
    }

    /// The score plugins by name and weight, in their order.
    pub fn score_plugins(&self) -> impl Iterator<Item = (&'static str, i64)> {
        self.score.iter().map(|(name, (weight, _))| (*name, *weight))
    }

    /// Runs the PostFilter plugins until one makes room.
    #[must_use]
    pub fn run_post_filters(
        &self,
        cx: &PostFilterContext<'_>,
        state: &CycleState,
        pod: &PodInfo,
        statuses: &NodeToStatus,
    ) -> (PostFilterResult, Status) {
        let mut last = PostFilterResult::default();
        let mut rejection = Status { code: Code::Unschedulable, reasons: Vec::new(), plugin: "" };
        for (name, plugin) in &self.post_filter {
            let (result, status) = plugin.post_filter(cx, state, pod, statuses);
            if status.is_success() || status.code == Code::UnschedulableAndUnresolvable {
                return (result, status.with_plugin(name));
            }
            if result.nominated_node.is_some() {
                last = result;
            }
            rejection.reasons.extend(status.reasons);
            if rejection.plugin.is_empty() {
                rejection.plugin = name;
            }
        }
        (last, rejection)
    }

    /// Runs the PreScore plugins.
    pub fn run_pre_scores(
        &self,
        handle: Handle<'_>,
        state: &mut CycleState,
        pod: &PodInfo,
        nodes: &[&NodeInfo],
    ) {
        for (name, plugin) in &self.pre_score {
            if plugin.pre_score(handle, state, pod, nodes).is_skip() {
                state.skip_score(name);
            }
        }
    }

    /// Scores the nodes with every plugin that takes part in this cycle.
    #[must_use]
    pub fn run_scores(
        &self,
        state: &CycleState,
        pod: &PodInfo,
        nodes: &[&NodeInfo],
    ) -> Vec<NodePluginScores> {
        let taking_part = self.score.iter().filter(|(name, _)| !state.skips_score(name));
        taking_part
            .map(|(name, (weight, plugin))| {
                let raw: Vec<i64> =
                    nodes.iter().map(|node| plugin.score(state, pod, node)).collect();
                let mut normalized = raw.clone();
                plugin.normalize_score(state, nodes, &mut normalized);
                NodePluginScores { plugin: name, weight: *weight, raw, normalized }
            })
            .collect()
    }

    /// Runs the Reserve plugins; when one rejects, all take their reservation back.
    pub fn run_reserve(&self, state: &mut CycleState, pod: &PodInfo, node: &str) -> Status {
        for (name, plugin) in &self.reserve {
            let status = plugin.reserve(state, pod, node);
            if !status.is_success() {
                self.run_unreserve(state, pod, node);
                return status.with_plugin(name);
            }
        }
        Status::SUCCESS
    }

    /// Takes all reservations back, in reverse order.
    pub fn run_unreserve(&self, state: &mut CycleState, pod: &PodInfo, node: &str) {
        for (_, plugin) in self.reserve.iter().rev() {
            plugin.unreserve(state, pod, node);
        }
    }

    /// Runs the Permit plugins.
    #[must_use]
    pub fn run_permit(&self, state: &CycleState, pod: &PodInfo, node: &str) -> Status {
        for (name, plugin) in &self.permit {
            let status = plugin.permit(state, pod, node);
            if !status.is_success() {
                return status.with_plugin(name);
            }
        }
        Status::SUCCESS
    }

    /// Prepares the binding, binds with the first plugin that takes it on, and tells of it.
    pub fn run_bind(
        &self,
        cx: &mut client::Context<'_>,
        identity: &apiserver::Identity,
        pod: &PodInfo,
        node: &str,
    ) -> Status {
        for (name, plugin) in &self.pre_bind {
            let status = plugin.pre_bind(cx, pod, node);
            if !status.is_success() {
                return status.with_plugin(name);
            }
        }
        for (name, plugin) in &self.bind {
            let status = plugin.bind(cx, identity, pod, node);
            if status.is_skip() {
                continue;
            }
            if status.code == Code::Error {
                let message = format!("running Bind plugin {name:?}: {}", status.message());
                return Status::new(Code::Error, message).with_plugin(name);
            }
            if status.is_success() {
                self.post_bind.iter().for_each(|(_, plugin)| plugin.post_bind(pod, node));
            }
            return status.with_plugin(name);
        }
        Status::SKIP
    }
}
