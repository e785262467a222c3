//! The numbers of requests, which of them wait for an answer, and what must be said again to a
//! new worker when one broke. Pure.

use protocol::{Command, Request};

/// Who waits for a command's result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// The editor shows it, object by object.
    Editor,
    /// A button: only problems are shown.
    Button,
}

/// Requests that were sent to the worker.
#[derive(Default, Debug)]
pub struct Journal {
    last_id: u64,
    waiting: Vec<(u64, Origin)>,
    changes: Vec<(u64, Command)>,
}

/// How many changes are kept to be said again.
const KEPT: usize = 500;

impl Journal {
    /// Numbers a command.
    pub fn request(&mut self, command: Command, origin: Origin) -> Request {
        self.last_id += 1;
        let id = self.last_id;
        match &command {
            Command::Boot { .. } => {
                self.waiting.clear();
                self.changes.clear();
            }
            Command::Apply { .. }
            | Command::Delete { .. }
            | Command::DeleteObject { .. }
            | Command::ScaleObject { .. }
            | Command::Traffic { .. }
            | Command::StopTraffic { .. } => {
                self.waiting.push((id, origin));
                self.keep(id, &command);
            }
            Command::FailNode { .. }
            | Command::RecoverNode { .. }
            | Command::StopKubelet { .. }
            | Command::StartKubelet { .. }
            | Command::StopComponent { .. }
            | Command::StartComponent { .. } => self.keep(id, &command),
            _ => {}
        }
        Request { id, command }
    }

    fn keep(&mut self, id: u64, command: &Command) {
        self.changes.push((id, command.clone()));
        if self.changes.len() > KEPT {
            self.changes.remove(0);
        }
    }

    /// A result came; who waits for it.
    pub fn answered(&mut self, id: u64) -> Option<Origin> {
        let index = self.waiting.iter().position(|(waiting, _)| *waiting == id)?;
        Some(self.waiting.remove(index).1)
    }

    /// Whether the editor waits.
    pub fn editor_waits(&self) -> bool {
        self.waiting.iter().any(|(_, origin)| *origin == Origin::Editor)
    }

    /// After the worker broke: the changes that a new one must hear, in order, without those
    /// that were never answered, since one of them may be what broke it.
    pub fn recover(&mut self) -> Vec<Command> {
        let waiting = std::mem::take(&mut self.waiting);
        let poison = |id: u64| waiting.iter().any(|(waiting, _)| *waiting == id);
        let changes = std::mem::take(&mut self.changes);
        changes.into_iter().filter(|(id, _)| !poison(*id)).map(|(_, command)| command).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(text: &str) -> Command {
        Command::Apply { text: text.into() }
    }

    #[test]
    fn answers_find_who_asked() {
        let mut journal = Journal::default();
        let first = journal.request(apply("a"), Origin::Editor).id;
        let second = journal.request(apply("b"), Origin::Button).id;
        assert!(journal.editor_waits());
        assert_eq!(journal.answered(second), Some(Origin::Button));
        assert_eq!(journal.answered(first), Some(Origin::Editor));
        assert_eq!(journal.answered(first), None, "only once");
        assert!(!journal.editor_waits());
    }

    #[test]
    fn recovery_says_everything_again_but_the_poison() {
        let mut journal = Journal::default();
        journal.request(apply("before"), Origin::Editor);
        journal.request(Command::Boot { seed: 1, nodes: 3 }, Origin::Button);
        let good = journal.request(apply("good"), Origin::Editor).id;
        journal.answered(good);
        journal.request(Command::Play, Origin::Button);
        journal.request(Command::FailNode { name: "node-1".into() }, Origin::Button);
        journal.request(apply("poison"), Origin::Editor);
        let said = journal.recover();
        assert_eq!(said, [apply("good"), Command::FailNode { name: "node-1".into() }]);
        assert!(!journal.editor_waits());
    }
}
