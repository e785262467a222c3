//! What must hold whatever happens: seeded runs in which watches lag, the controller manager
//! crashes, others write and pods go.

use std::collections::BTreeMap;

use api::openapi::api::apps::v1::{Deployment, ReplicaSet};
use api::openapi::api::core::v1::{ConfigMap, Pod};
use api::openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use api::{Key, Kinded};
use apiserver::{Commit, Propagation, WatchId};
use component_helpers::controller_ref::is_controlled_by;
use component_helpers::pod_status::{is_pod_active, is_pod_ready};
use sim::{Duration, Stream, Time};

use crate::testing::{World, deployment, replica_set};

/// A cluster whose watches deliver after a random time, each on its own.
struct Lagging {
    world: World,
    stream: Stream,
    most: Duration,
    under_way: BTreeMap<Time, Vec<WatchId>>,
}

impl Lagging {
    fn new(seed: u64) -> Self {
        let mut world = World::new();
        world.cluster.server.schedule_deliveries();
        // Only what is watched from now on lags.
        world.manager.stop(&mut world.cluster.server);
        let most = Duration::from_millis(100);
        let stream = Stream::new(seed, "lag");
        Lagging { world, stream, most, under_way: BTreeMap::new() }
    }

    /// One millisecond: what is due is delivered, and the manager wakes. Returns what was
    /// committed.
    fn step(&mut self) -> Vec<Commit> {
        let server = &mut self.world.cluster.server;
        for (watch, _) in server.take_announcements() {
            let due =
                self.world.cluster.now + self.stream.between(Duration::from_millis(1), self.most);
            self.under_way.entry(due).or_default().push(watch);
        }
        let now = self.world.cluster.now;
        while let Some(entry) = self.under_way.first_entry().filter(|entry| *entry.key() <= now) {
            for watch in entry.remove() {
                server.release_watch(watch, now);
            }
        }
        self.world.run(1);
        self.world.cluster.server.take_commits()
    }

    fn crash(&mut self) {
        self.world.manager.stop(&mut self.world.cluster.server);
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.stream.below(bound)
    }

    fn pods(&mut self) -> Vec<std::sync::Arc<Pod>> {
        self.world.list::<Pod>()
    }
}

fn controllers(meta: &ObjectMeta) -> usize {
    let owners = meta.owner_references.iter().flatten();
    owners.filter(|owner| owner.controller == Some(true)).count()
}

/// Invariant 14: no object has two controllers.
fn check_controllers(commits: &[Commit], seed: u64) {
    for new in commits.iter().filter_map(|commit| commit.new.as_ref()) {
        assert!(controllers(new.meta()) <= 1, "seed {seed}: {} has two controllers", new.key());
    }
}

/// Invariant 23: a ReplicaSet never has more active pods than it asks for, and in the end as
/// many, however late its controller sees them and whenever it crashes.
#[test]
fn a_replica_set_has_never_more_pods_than_it_asks_for() {
    for seed in 0..25 {
        let mut lagging = Lagging::new(seed);
        let wanted = 1 + lagging.below(12);
        let count = i32::try_from(wanted).expect("small");
        let created = lagging.world.create(replica_set("web", count));
        let uid = created.metadata.uid.clone().expect("stored");
        for step in 0..1500_u64 {
            if lagging.below(150) == 0 {
                lagging.crash();
            }
            let pods = lagging.pods();
            if step < 1000 && lagging.below(60) == 0 && !pods.is_empty() {
                let index = usize::try_from(lagging.below(pods.len() as u64)).expect("small");
                let name = pods[index].metadata.name.clone().expect("named");
                lagging.world.delete_with::<Pod>(&name, None, Some(0));
            }
            let commits = lagging.step();
            check_controllers(&commits, seed);
            let owned = lagging.pods();
            let active = owned
                .iter()
                .filter(|pod| is_pod_active(pod) && is_controlled_by(&pod.metadata, &uid));
            let active = active.count() as u64;
            assert!(active <= wanted, "seed {seed}: {active} pods at step {step}, wanted {wanted}");
        }
        assert_eq!(lagging.pods().len() as u64, wanted, "seed {seed}");
    }
}

/// Makes a random change that a person may make.
fn disturb(lagging: &mut Lagging) {
    let images = ["nginx:1", "nginx:2", "nginx:3"];
    match lagging.below(4) {
        0 => {
            let image = images[usize::try_from(lagging.below(3)).expect("small")];
            lagging.world.change::<Deployment>("web", move |deployment| {
                let spec = deployment.spec.template.spec.as_mut().expect("spec");
                spec.containers[0].image = Some(image.into());
            });
        }
        1 => {
            let replicas = i32::try_from(lagging.below(9)).expect("small");
            lagging.world.change::<Deployment>("web", move |deployment| {
                deployment.spec.replicas = Some(replicas);
            });
        }
        2 => {
            // Somebody else writes, so that the controller's next write is refused.
            let value = lagging.below(1000).to_string();
            lagging.world.change::<Deployment>("web", move |deployment| {
                let annotations = deployment.metadata.annotations.get_or_insert_default();
                annotations.insert("example.com/touched".into(), value);
            });
        }
        _ => {
            let paused = lagging.below(2) == 0;
            lagging.world.change::<Deployment>("web", move |deployment| {
                deployment.spec.paused = Some(paused);
            });
        }
    }
}

/// How many pods the ReplicaSets of the Deployment want, and how many may be wanted as the
/// controller last noted on the one that was written.
fn check_surge(lagging: &mut Lagging, commits: &[Commit], seed: u64) {
    for commit in commits.iter().filter(|commit| commit.kind == ReplicaSet::ID) {
        let typed = |object: &Option<api::Object>| {
            object.as_ref().and_then(|object| object.typed::<ReplicaSet>())
        };
        let (old, Some(new)) = (typed(&commit.old), typed(&commit.new)) else { continue };
        let replicas = |set: &ReplicaSet| set.spec.replicas.unwrap_or(1);
        if replicas(&new) <= old.as_deref().map_or(0, replicas) {
            continue;
        }
        let annotations = new.metadata.annotations.as_ref().expect("annotations");
        let max: i32 =
            annotations["deployment.kubernetes.io/max-replicas"].parse().expect("a number");
        // Commits of one step that lower others may come later, so that this is no less than
        // what was wanted at the time.
        let others: i32 = lagging
            .world
            .list::<ReplicaSet>()
            .iter()
            .filter(|set| set.metadata.uid != new.metadata.uid)
            .map(|set| replicas(set))
            .sum();
        let total = others + replicas(&new);
        assert!(total <= max, "seed {seed}: {total} wanted, {max} allowed");
    }
}

/// Invariants 21, 22 and 23 for Deployments: scaling up never asks for more than the surge
/// allows, and when everybody stops changing things the Deployment gets what it wants and
/// nobody writes any more.
#[test]
fn a_deployment_ends_with_what_it_wants_and_then_nobody_writes() {
    for seed in 0..12 {
        let mut lagging = Lagging::new(seed);
        lagging.world.create(deployment("web", 4, "1", "1"));
        for step in 0..2500_u64 {
            if step < 1500 && lagging.below(80) == 0 {
                disturb(&mut lagging);
            }
            if step < 1500 && lagging.below(300) == 0 {
                lagging.crash();
            }
            let commits = lagging.step();
            check_controllers(&commits, seed);
            check_surge(&mut lagging, &commits, seed);
            if step % 20 == 0 {
                lagging.world.make_pods_ready();
                lagging.world.finish_pods();
            }
        }
        let resume = |deployment: &mut Deployment| deployment.spec.paused = None;
        lagging.world.change::<Deployment>("web", resume);
        for step in 0..4000_u64 {
            lagging.step();
            if step % 20 == 0 {
                lagging.world.make_pods_ready();
                lagging.world.finish_pods();
            }
        }
        check_result(&mut lagging, seed);
        let revision = lagging.world.cluster.server.revision();
        lagging.world.skip_seconds(700);
        let later = lagging.world.cluster.server.revision();
        assert_eq!(later, revision, "seed {seed}: somebody still writes");
    }
}

fn check_result(lagging: &mut Lagging, seed: u64) {
    let stored = lagging.world.get::<Deployment>("web");
    let wanted = stored.spec.replicas.expect("replicas");
    let image = stored.spec.template.spec.as_ref().map(|spec| spec.containers[0].image.clone());
    let pods = lagging.pods();
    assert_eq!(i32::try_from(pods.len()).expect("small"), wanted, "seed {seed}");
    for pod in &pods {
        assert!(is_pod_ready(pod), "seed {seed}");
        let found = pod.spec.as_ref().map(|spec| spec.containers[0].image.clone());
        assert_eq!(found, image, "seed {seed}");
    }
    let status = stored.status.clone().expect("status");
    let generation = stored.metadata.generation;
    assert_eq!(status.observed_generation, generation, "seed {seed}");
    assert_eq!(status.available_replicas.unwrap_or(0), wanted, "seed {seed}");
}

/// Invariant 21, the other half: however watches lag, a rolling update leaves enough pods
/// ready.
#[test]
fn a_rolling_update_leaves_enough_pods_ready() {
    for seed in 0..20 {
        let mut lagging = Lagging::new(seed);
        let desired = 2 + i32::try_from(lagging.below(7)).expect("small");
        let surge = i32::try_from(lagging.below(3)).expect("small");
        let unavailable =
            i32::try_from(lagging.below(3)).expect("small").max(i32::from(surge == 0));
        let made = deployment("web", desired, &surge.to_string(), &unavailable.to_string());
        lagging.world.create(made);
        for step in 0..3000_u64 {
            lagging.step();
            if step % 20 == 0 {
                lagging.world.make_pods_ready();
            }
        }
        lagging.world.change::<Deployment>("web", |deployment| {
            let spec = deployment.spec.template.spec.as_mut().expect("spec");
            spec.containers[0].image = Some("nginx:2".into());
        });
        for step in 0..6000_u64 {
            lagging.step();
            if lagging.below(20) == 0 {
                lagging.world.make_pods_ready();
            }
            let pods = lagging.pods();
            let active = pods.iter().filter(|pod| is_pod_active(pod));
            let ready = active.clone().filter(|pod| is_pod_ready(pod)).count();
            let (active, ready) = (active.count(), i32::try_from(ready).expect("small"));
            assert!(ready >= desired - unavailable, "seed {seed}: {ready} ready at {step}");
            let active = i32::try_from(active).expect("small");
            assert!(active <= desired + surge, "seed {seed}: {active} active at {step}");
        }
        let key = Key::new("default", "web");
        let done = lagging.world.get::<Deployment>(&key.name).status.clone().expect("status");
        assert_eq!(done.updated_replicas, Some(desired), "seed {seed}");
    }
}

fn config_map(name: &str, owners: Vec<OwnerReference>) -> ConfigMap {
    let metadata = ObjectMeta {
        name: Some(name.into()),
        owner_references: (!owners.is_empty()).then_some(owners),
        ..ObjectMeta::default()
    };
    ConfigMap { metadata, ..ConfigMap::default() }
}

fn owner_reference(owner: &ConfigMap, blocks: bool) -> OwnerReference {
    OwnerReference {
        api_version: "v1".into(),
        kind: "ConfigMap".into(),
        name: owner.metadata.name.clone().expect("named"),
        uid: owner.metadata.uid.clone().expect("stored"),
        block_owner_deletion: Some(blocks),
        controller: None,
    }
}

/// Nothing that a living owner holds is deleted, unless a person deletes it.
fn check_owners(lagging: &mut Lagging, commits: &[Commit], by_person: &[String], seed: u64) {
    let left = lagging.world.list::<ConfigMap>();
    for commit in commits.iter().filter(|commit| commit.kind == ConfigMap::ID) {
        let (Some(old), None) = (&commit.old, &commit.new) else { continue };
        if by_person.iter().any(|name| **name == *commit.key.name) {
            continue;
        }
        let owners = old.meta().owner_references.iter().flatten();
        for owner in owners.map(|owner| &owner.uid) {
            let holds = left.iter().any(|map| {
                map.metadata.uid.as_ref() == Some(owner)
                    && map.metadata.deletion_timestamp.is_none()
            });
            assert!(!holds, "seed {seed}: {} had a living owner", commit.key);
        }
    }
}

/// Invariant 13, with watches that lag, a collector that crashes and dependents that are made
/// while their owners go.
#[test]
fn garbage_goes_and_nothing_else_does() {
    for seed in 0..15 {
        let mut lagging = Lagging::new(seed);
        let mut made: Vec<std::sync::Arc<ConfigMap>> = Vec::new();
        let mut by_person: Vec<String> = vec!["kube-root-ca.crt".into()];
        for step in 0..1500_u64 {
            if step < 700 && lagging.below(12) == 0 {
                let mut owners = Vec::new();
                for candidate in &made {
                    if owners.len() < 2 && lagging.stream.below(5) == 0 {
                        owners.push(owner_reference(candidate, lagging.stream.below(2) == 0));
                    }
                }
                let map = config_map(&format!("map-{}", made.len()), owners);
                made.push(lagging.world.create(map));
            }
            if step < 900 && lagging.below(30) == 0 && !made.is_empty() {
                let index = usize::try_from(lagging.below(made.len() as u64)).expect("small");
                let name = made[index].metadata.name.clone().expect("named");
                let propagation = match lagging.below(2) {
                    0 => Propagation::Background,
                    _ => Propagation::Foreground,
                };
                if lagging.world.exists::<ConfigMap>(&name) {
                    by_person.push(name.clone());
                    lagging.world.delete::<ConfigMap>(&name, Some(propagation));
                }
            }
            if lagging.below(200) == 0 {
                lagging.crash();
            }
            let commits = lagging.step();
            check_owners(&mut lagging, &commits, &by_person, seed);
        }
        for _ in 0..1500 {
            lagging.step();
        }
        let left = lagging.world.list::<ConfigMap>();
        for map in &left {
            let owners = map.metadata.owner_references.iter().flatten();
            for owner in owners {
                let lives =
                    left.iter().any(|other| other.metadata.uid.as_ref() == Some(&owner.uid));
                assert!(lives, "seed {seed}: {:?} names an owner that is gone", map.metadata.name);
            }
            let deleting = map.metadata.deletion_timestamp.is_some();
            assert!(!deleting, "seed {seed}: {:?} never goes", map.metadata.name);
        }
    }
}
