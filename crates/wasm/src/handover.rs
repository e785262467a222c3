//! From one engine to another: a small one that lacks something hands its cluster over to a whole
//! one, which replays the session, goes on as the small one would have, and does what waits.

use cluster::{Point, Replay, Session};
use protocol::{ObjectRef, Request};
use serde::{Deserialize, Serialize};
use sim::Time;

use crate::host::{Host, Mode, Shown};

/// How many events are replayed between two looks at the wall clock.
const EVENTS_PER_LOOK: u64 = 256;

/// All that another engine needs to go on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Handover {
    session: Session,
    events: u64,
    time_nanos: u64,
    /// Whether the page has to be told everything anew: it has not seen this very state.
    reset: bool,
    mode: Mode,
    speed: f64,
    selected: Option<ObjectRef>,
    /// Whether the page looks at packets, and at the hops of which one.
    packets: (bool, Option<u64>),
    sequence: u64,
    waiting: Vec<Request>,
}

/// A cluster on its way.
pub(crate) struct Arriving {
    handover: Handover,
    replay: Replay,
}

impl Host {
    /// What came up that this engine does not hold, if something did.
    #[must_use]
    pub fn lacking(&self) -> Option<&str> {
        self.shown.as_ref()?.cluster.lacking()
    }

    /// All that another engine needs to go on from here, as JSON. The messages for the page are
    /// to be taken afterwards: they are older than the other engine's.
    pub fn hand_over(&mut self) -> Option<String> {
        let shown = self.shown.as_mut()?;
        let Point { session, events, time, is_behind } = shown.cluster.point();
        if !is_behind {
            shown.gather(self.wall_ms, &mut self.messages);
        }
        let handover = Handover {
            session,
            events,
            time_nanos: time.as_nanos(),
            reset: is_behind || shown.reset,
            mode: shown.mode,
            speed: shown.speed,
            selected: shown.selected.clone(),
            packets: shown.inspection.asked(),
            sequence: shown.sequence,
            waiting: self.waiting.clone(),
        };
        serde_json::to_string(&handover).ok()
    }
}

impl Host {
    /// Begins to make another engine's cluster, or goes on when it is the same but later.
    ///
    /// # Errors
    /// What is wrong with the handover, in words.
    pub fn take_over(&mut self, handover: &str) -> Result<(), String> {
        let handover: Handover =
            serde_json::from_str(handover).map_err(|error| error.to_string())?;
        let end = (handover.events, Time::from_nanos(handover.time_nanos));
        if let Some(arriving) = &mut self.arriving
            && arriving.replay.extend(handover.session.clone(), end)
        {
            arriving.handover = handover;
            return Ok(());
        }
        let replay = Replay::new(self.parts, handover.session.clone(), end)
            .map_err(|error| error.to_string())?;
        self.arriving = Some(Arriving { handover, replay });
        Ok(())
    }

    /// Works on that for at most `slice_ms` milliseconds. Returns whether it is done.
    ///
    /// # Errors
    /// When the other engine did something that this one would not have done.
    pub fn catch_up(&mut self, slice_ms: f64, wall: &dyn Fn() -> f64) -> Result<bool, String> {
        let Some(arriving) = &mut self.arriving else { return Ok(true) };
        let end_ms = wall() + slice_ms;
        loop {
            let done = arriving.replay.run(EVENTS_PER_LOOK).map_err(|error| error.to_string())?;
            if done || wall() >= end_ms {
                return Ok(done);
            }
        }
    }

    /// Goes on with the cluster that has arrived, in place of the one before.
    pub fn go_on(&mut self, now_ms: f64) {
        let Some(Arriving { handover, replay }) = self.arriving.take() else { return };
        self.wall_ms = now_ms;
        let mut shown = Shown::new(replay.into_cluster(), now_ms);
        (shown.mode, shown.speed) = (handover.mode, handover.speed);
        (shown.selected, shown.sequence) = (handover.selected, handover.sequence);
        shown.look_at_packets(handover.packets.0, handover.packets.1);
        shown.reset = handover.reset;
        if !shown.reset {
            // The page has these rows already.
            shown.projection.reset(&mut shown.cluster);
        }
        self.shown = Some(shown);
        for request in handover.waiting {
            self.run(request, now_ms);
        }
    }
}
