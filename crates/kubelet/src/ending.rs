//! The end of one container: the hook before it, the signal, and what happens to a program that
//! does not heed it.
//!
//! Upstream: pkg/kubelet/kuberuntime/kuberuntime_container.go, killContainer and
//! executePreStopHook.

use client::{Context, EventType};
use runtime::Signal;
use sim::{Digest, Digestible, Duration, Time};

use crate::activity::{Errand, Finding, Purpose};
use crate::dial::Answer;
use crate::node::Node;
use crate::pod_worker::PodWorker;

/// What a program has after the signal, however long its hook took.
/// Upstream: kuberuntime_container.go, minimumGracePeriodInSeconds.
const MINIMUM_AFTER_SIGNAL: Duration = Duration::from_secs(2);

/// How far the end of a container has come.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    /// When its grace is over.
    pub(crate) deadline: Time,
    /// How long the hook sleeps that comes before the signal.
    sleeps_until: Option<Time>,
    /// When it was asked to end.
    signalled: Option<Time>,
}

impl Digestible for Ending {
    fn digest(&self, digest: &mut Digest) {
        digest.add(&self.deadline);
        digest.add(&self.sleeps_until);
        digest.add(&self.signalled);
    }
}

impl PodWorker {
    /// Begins to end a container, with its hook if it has one.
    pub(crate) fn begin_ending(
        &mut self,
        node: &mut Node,
        cx: &mut Context<'_>,
        place: usize,
        grace: Duration,
    ) -> Ending {
        let mut ending = Ending { deadline: cx.now + grace, sleeps_until: None, signalled: None };
        self.cancel_probes(node, cx, |at, kind| at == place && kind.ends_with_the_grace());
        let lifecycle = self.container(place).and_then(|container| container.lifecycle.as_ref());
        let Some(handler) = lifecycle.and_then(|hooks| hooks.pre_stop.clone()) else {
            return ending;
        };
        if let Some(action) = &handler.sleep {
            let span = Duration::from_api_seconds(action.seconds).min(grace);
            ending.sleeps_until = Some(cx.now + span);
            return ending;
        }
        let command = handler.exec.and_then(|action| action.command).unwrap_or_default();
        let errand = match &handler.http_get {
            Some(action) => Errand::Page(action),
            None => Errand::Command(&command),
        };
        let begun = self.begin_activity(node, cx, (place, Purpose::PreStop), (errand, grace));
        if let Some(finding) = begun {
            self.finish_pre_stop(node, cx, place, &finding);
        }
        ending
    }

    /// The hook before the end of a container is over.
    pub(crate) fn finish_pre_stop(
        &mut self,
        node: &mut Node,
        cx: &mut Context<'_>,
        place: usize,
        finding: &Finding,
    ) {
        if self.hook_failure(place, finding).is_some() && self.runs(place) {
            let event = (EventType::Warning, "FailedPreStopHook", "PreStopHook failed");
            self.event(node, cx, Some(place), event);
        }
    }

    /// Does what is due for the end of a container. `turn` says that no other has to end first.
    pub(crate) fn advance_ending(
        &mut self,
        node: &mut Node,
        cx: &mut Context<'_>,
        (place, turn): (usize, bool),
        ending: &mut Ending,
    ) {
        let due = self.next_of_ending(place, turn, ending).is_some_and(|time| time <= cx.now);
        let Some(instance) = self.containers.get_mut(place).and_then(|r| r.current.as_mut()) else {
            return;
        };
        if !due || !instance.is_running() {
            return;
        }
        let signal = match ending.signalled {
            Some(_) => Signal::Kill,
            None => instance.image.stop_signal,
        };
        ending.signalled.get_or_insert(cx.now);
        instance.signal(signal, &mut node.world(cx, &mut self.volumes));
    }

    /// When something is to be done for the end of a container.
    pub(crate) fn next_of_ending(&self, place: usize, turn: bool, ending: &Ending) -> Option<Time> {
        if let Some(signalled) = ending.signalled {
            return Some(ending.deadline.max(signalled + MINIMUM_AFTER_SIGNAL));
        }
        if !turn || self.is_under_way(place, Purpose::PreStop) {
            return Some(ending.deadline);
        }
        Some(ending.sleeps_until.map_or(Time::ZERO, |time| time.min(ending.deadline)))
    }

    /// Why a hook failed, in the words that a container's state shows; `None` if it did not.
    /// Upstream: pkg/kubelet/lifecycle/handlers.go, Run.
    pub(crate) fn hook_failure(&self, place: usize, finding: &Finding) -> Option<String> {
        let container = self.container(place)?;
        let of = format!("for Container {:?} in Pod {:?} failed", container.name, self.format());
        let hooks = container.lifecycle.as_ref();
        let post_start = hooks.and_then(|hooks| hooks.post_start.as_ref());
        let pre_stop = hooks.and_then(|hooks| hooks.pre_stop.as_ref());
        let handler = match self.is_terminating() {
            true => pre_stop.or(post_start),
            false => post_start.or(pre_stop),
        };
        let command = handler.and_then(|handler| handler.exec.as_ref()?.command.clone());
        let words = command.unwrap_or_default().join(" ");
        let path = handler.and_then(|handler| handler.http_get.as_ref()?.path.clone());
        let path = path.unwrap_or_default();
        match finding {
            Finding::Exited { code: 0, .. } | Finding::TimedOut(_) => None,
            Finding::Answered(Answer::Fine | Answer::Page(_)) => None,
            Finding::Exited { code, output, errors } => Some(format!(
                "Exec lifecycle hook ([{words}]) {of} - error: command '{words}' exited with \
                 {code}: {errors}, message: {output:?}"
            )),
            Finding::Error(why) => {
                Some(format!("Exec lifecycle hook ([{words}]) {of} - error: {why}, message: \"\""))
            }
            Finding::Answered(Answer::Failed(why)) => {
                Some(format!("HTTP lifecycle hook ({path}) {of} - error: {why}, message: \"\""))
            }
        }
    }
}
