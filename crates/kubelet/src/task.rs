//! A program that runs on the machine: a container's own, or one that was started beside it.

use std::sync::Arc;

use client::Context;
use network::{Machine, NamespaceId, Owner, Sockets};
use runtime::{ContainerLog, Environment, Files, Flow, Io, Process, ProcessEvent, Volume};
use sim::{Digest, Digestible, SmallMap, Time};

use crate::owners::Owners;
use crate::volumes::HOST_VOLUME;

/// What a process sees of its machine.
pub(crate) struct World<'a> {
    pub(crate) now: Time,
    pub(crate) cx: Context<'a>,
    pub(crate) stream: &'a str,
    pub(crate) machine: &'a mut Machine,
    /// Which processes there are.
    pub(crate) owners: &'a mut Owners,
    /// The pod's volumes.
    pub(crate) volumes: &'a mut SmallMap<String, Volume>,
    /// The machine's own files.
    pub(crate) host: &'a mut Volume,
}

/// What a process sees of its container.
pub(crate) struct Room<'a> {
    pub(crate) environment: &'a Environment,
    pub(crate) files: &'a mut Files,
    pub(crate) log: &'a mut ContainerLog,
    pub(crate) namespace: NamespaceId,
}

/// A program that runs.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    /// Who it is to the network of its machine.
    pub(crate) owner: Owner,
    process: Box<dyn Process>,
    pub(crate) timer: Option<Time>,
}

impl Task {
    /// A process of the pod of that UID, which has not been told yet that it begins.
    pub(crate) fn new(process: Box<dyn Process>, uid: &Arc<str>, world: &mut World<'_>) -> Self {
        let owner = world.owners.add(uid, process.watches());
        if let Some(name) = process.component() {
            world.owners.set_component(owner, name);
        }
        Task { owner, process, timer: None }
    }

    /// Tells it what happened. Returns its exit code if it ended by that.
    pub(crate) fn on(
        &mut self,
        event: ProcessEvent,
        room: Room<'_>,
        world: &mut World<'_>,
    ) -> Option<i32> {
        let sees_host = room.files.mounts(HOST_VOLUME);
        if sees_host {
            world.volumes.insert(HOST_VOLUME.to_string(), world.host.clone());
        }
        room.files.load(world.volumes);
        let mut io = Io {
            now: world.now,
            clock: world.cx.clock,
            environment: room.environment,
            files: &mut *room.files,
            log: room.log,
            network: Sockets {
                machine: world.machine,
                namespace: room.namespace,
                owner: self.owner,
                now: world.now,
            },
            cx: world.cx.reborrow(),
            stream: world.stream,
        };
        let flow = self.process.on(event, &mut io);
        room.files.store(world.volumes);
        if sees_host && let Some(host) = world.volumes.remove(HOST_VOLUME) {
            *world.host = host;
        }
        match flow {
            Flow::Continue => None,
            Flow::WaitUntil(time) => {
                self.timer = Some(time);
                None
            }
            Flow::Exit(code) => Some(code & 0xff),
        }
    }

    /// How many bytes of memory it holds.
    pub(crate) fn memory(&self) -> u64 {
        self.process.memory()
    }

    /// What it has counted.
    pub(crate) fn counters(&self) -> Vec<(&'static str, u64)> {
        self.process.counters()
    }

    /// Whether the instant has come that it waits for; it waits no longer then.
    pub(crate) fn take_timer(&mut self, now: Time) -> bool {
        self.timer.take_if(|time| *time <= now).is_some()
    }

    /// It is gone, and everything with it that the machine and the API server held for it.
    pub(crate) fn end(mut self, world: &mut World<'_>) {
        self.process.disconnect(&mut world.cx);
        world.machine.close_owner(self.owner, world.now);
        world.owners.remove(self.owner);
    }
}

impl Digestible for Task {
    fn digest(&self, digest: &mut Digest) {
        digest.u64(self.owner.0);
        digest.add(&self.timer);
        self.process.digest(digest);
    }
}
