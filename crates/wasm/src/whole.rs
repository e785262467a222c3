//! What only the whole engine does: commands and sessions as JSON, for programs that show nothing.

use cluster::{Command, Session};
use protocol::CommandResult;
use serde_json::json;

use crate::host::{Host, result};

impl Host {
    /// Gives the cluster a command, as JSON, and says what became of it, as JSON: a list of
    /// objects with `title` and either `action` or `message`.
    pub fn execute(&mut self, command: &str) -> String {
        let failed = |message: &str| json!([{ "title": "", "message": message }]).to_string();
        let Some(shown) = &mut self.shown else { return failed("there is no cluster yet") };
        let command: Command = match serde_json::from_str(command) {
            Ok(command) => command,
            Err(error) => return failed(&error.to_string()),
        };
        let outcome = shown.cluster.execute(command);
        let CommandResult { done, problems, .. } = result(0, &outcome);
        let done = done.iter().map(|object| {
            let action = format!("{:?}", object.action).to_lowercase();
            json!({ "title": object.title, "action": action })
        });
        let problems = problems
            .iter()
            .map(|problem| json!({ "title": problem.title, "message": problem.message }));
        serde_json::Value::Array(done.chain(problems).collect()).to_string()
    }

    /// Makes the cluster of a session again.
    ///
    /// # Errors
    /// What is wrong with the session, in words; the cluster that is shown stays then.
    pub fn replay(&mut self, session: &str) -> Result<(), String> {
        let session: Session = serde_json::from_str(session).map_err(|error| error.to_string())?;
        let cluster = session.replay().map_err(|error| error.to_string())?;
        self.boot(cluster, self.wall_ms);
        Ok(())
    }
}
