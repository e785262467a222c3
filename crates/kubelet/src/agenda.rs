//! When each pod of the node has something to do, in order, so that a wake looks at those alone
//! whose time has come.

use std::sync::Arc;

use sim::{OrdMap, OrdSet, Time};

/// The pods by the instant at which they have something to do. It follows from the pods and is
/// therefore in no digest.
#[derive(Clone, Debug, Default)]
pub(crate) struct Agenda {
    by_time: OrdSet<(Time, Arc<str>)>,
    of: OrdMap<Arc<str>, Time>,
}

impl Agenda {
    /// Sets when the pod of that UID has something to do next.
    pub(crate) fn set(&mut self, uid: &Arc<str>, time: Option<Time>) {
        if self.of.get(uid).copied() == time {
            return;
        }
        if let Some(before) = self.of.remove(uid) {
            self.by_time.remove(&(before, uid.clone()));
        }
        if let Some(time) = time {
            self.of.insert(uid.clone(), time);
            self.by_time.insert((time, uid.clone()));
        }
    }

    /// When the first has something to do.
    pub(crate) fn next(&self) -> Option<Time> {
        self.by_time.get_min().map(|(time, _)| *time)
    }

    /// Those that have something to do by now, in order.
    pub(crate) fn due(&self, now: Time) -> Vec<Arc<str>> {
        let due = self.by_time.iter().take_while(|(time, _)| *time <= now);
        due.map(|(_, uid)| uid.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_come_first_whose_time_comes_first() {
        let uid = |name: &str| Arc::<str>::from(name);
        let at = |nanos: u64| Some(Time::from_nanos(nanos));
        let mut agenda = Agenda::default();
        agenda.set(&uid("a"), at(3));
        agenda.set(&uid("b"), at(2));
        agenda.set(&uid("c"), at(9));
        assert_eq!(agenda.next(), at(2));
        assert_eq!(agenda.due(Time::from_nanos(3)), [uid("b"), uid("a")]);
        agenda.set(&uid("b"), at(10));
        agenda.set(&uid("a"), None);
        assert_eq!(agenda.next(), at(9));
        assert!(agenda.due(Time::from_nanos(8)).is_empty());
    }
}
