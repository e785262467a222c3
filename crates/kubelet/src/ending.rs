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
/// A hook has no time limit upstream; here an hour stands for one that hangs.
pub(crate) const LONGEST_HOOK: Duration = Duration::from_secs(3600);

/// How far the end of a container has come.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    /// Since when it is asked to end, and how long that may take.
    began: Time,
    grace: Duration,
    /// How long the hook sleeps that comes before the signal.
    sleeps_until: Option<Time>,
    /// When that hook was over, or its time.
    hook_over: Option<Time>,
    /// When it is killed; `None` before it was asked to end.
    killed_at: Option<Time>,
}

impl Digestible for Ending {
    fn digest(&self, digest: &mut Digest) {
        digest.add(&self.began);
        digest.add(&self.grace);
        digest.add(&self.sleeps_until);
        digest.add(&self.hook_over);
        digest.add(&self.killed_at);
    }
}

impl Ending {
    fn new(began: Time, grace: Duration) -> Self {
        Ending { began, grace, sleeps_until: None, hook_over: None, killed_at: None }
    }

    /// What is left for the program when it is asked to end: the grace less the whole seconds
    /// that the hook took, and less those that it waited for others.
    fn left(&self, now: Time) -> Duration {
        let whole = |span: Duration| Duration::from_secs(span.as_secs());
        let hook_over = self.hook_over.unwrap_or(now);
        let spent = whole(hook_over - self.began) + whole(now - hook_over);
        self.grace.saturating_sub(spent).max(MINIMUM_AFTER_SIGNAL)
    }

    /// It has less time from now on. What was done before the signal is not done again.
    pub(crate) fn shorten(&mut self, now: Time, grace: Duration) {
        self.began = now;
        self.grace = grace;
        self.hook_over = self.hook_over.map(|_| now);
        self.killed_at = self.killed_at.map(|_| now + grace.max(MINIMUM_AFTER_SIGNAL));
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
        let mut ending = Ending::new(cx.now, grace);
        self.cancel_probes(node, cx, |at, kind| at == place && kind.ends_with_the_grace());
        let lifecycle = self.container(place).and_then(|container| container.lifecycle.as_ref());
        let hook = lifecycle.and_then(|hooks| hooks.pre_stop.clone());
        let Some(handler) = hook.filter(|_| grace > Duration::ZERO) else {
            ending.hook_over = Some(cx.now);
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
        let begun =
            self.begin_activity(node, cx, (place, Purpose::PreStop), (errand, LONGEST_HOOK));
        if let Some(finding) = begun {
            self.finish_pre_stop(node, cx, place, &finding);
            ending.hook_over = Some(cx.now);
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
        if self.hook_failure(place, Purpose::PreStop, finding).is_some() {
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
        if !due || !self.runs(place) {
            return;
        }
        ending.hook_over.get_or_insert(cx.now);
        if ending.killed_at.is_none() && !turn && cx.now < ending.began + ending.grace {
            return;
        }
        let Some(instance) = self.containers.get_mut(place).and_then(|r| r.current.as_mut()) else {
            return;
        };
        let signal = match ending.killed_at {
            Some(_) => Signal::Kill,
            None => instance.image.stop_signal,
        };
        ending.killed_at.get_or_insert(cx.now + ending.left(cx.now));
        instance.signal(signal, &mut node.world(cx, &mut self.volumes));
    }

    /// When something is to be done for the end of a container.
    pub(crate) fn next_of_ending(&self, place: usize, turn: bool, ending: &Ending) -> Option<Time> {
        if ending.killed_at.is_some() {
            return ending.killed_at;
        }
        let deadline = ending.began + ending.grace;
        if ending.hook_over.is_some() {
            return Some(if turn { Time::ZERO } else { deadline });
        }
        if self.is_under_way(place, Purpose::PreStop) {
            return Some(deadline);
        }
        Some(ending.sleeps_until.map_or(Time::ZERO, |time| time.min(deadline)))
    }

    /// Why a hook failed, in the words that a container's state shows; `None` if it did not.
    /// Upstream: pkg/kubelet/lifecycle/handlers.go, Run.
    pub(crate) fn hook_failure(
        &self,
        place: usize,
        purpose: Purpose,
        finding: &Finding,
    ) -> Option<String> {
        let container = self.container(place)?;
        let of = format!("for Container {:?} in Pod {:?} failed", container.name, self.format());
        let hooks = container.lifecycle.as_ref()?;
        let handler = match purpose {
            Purpose::PreStop => hooks.pre_stop.as_ref()?,
            _ => hooks.post_start.as_ref()?,
        };
        let (why, output) = match finding {
            Finding::Exited { code: 0, .. } | Finding::TimedOut(_) => return None,
            Finding::Answered(Answer::Fine | Answer::Page(_)) => return None,
            Finding::Exited { code, output, errors } => {
                let words = handler.exec.as_ref()?.command.clone().unwrap_or_default().join(" ");
                (format!("command '{words}' exited with {code}: {errors}"), output.as_str())
            }
            Finding::Error(why) | Finding::Answered(Answer::Failed(why)) => (why.clone(), ""),
        };
        if let Some(action) = &handler.http_get {
            let path = action.path.as_deref().unwrap_or_default();
            return Some(format!("HTTP lifecycle hook ({path}) {of} - error: {why}"));
        }
        let words = handler.exec.as_ref()?.command.clone().unwrap_or_default().join(" ");
        Some(format!("Exec lifecycle hook ([{words}]) {of} - error: {why}, message: {output:?}"))
    }
}
