//! What became of the documents that a command was given.

use std::fmt;

use api::status::Reason;
use api::{Kind, Object, Status};

/// What a command did to an object, in kubectl's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It did not exist before.
    Created,
    /// It was changed.
    Configured,
    /// It was already so.
    Unchanged,
    /// It was deleted, or its deletion has begun.
    Deleted,
    /// Its replicas were set.
    Scaled,
}

impl Action {
    /// The word that kubectl prints.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Action::Created => "created",
            Action::Configured => "configured",
            Action::Unchanged => "unchanged",
            Action::Deleted => "deleted",
            Action::Scaled => "scaled",
        }
    }
}

/// What became of one document.
#[derive(Clone, Debug)]
pub struct DocumentResult {
    /// Which document of the text, from 0; `None` when it is about the text as a whole, or about
    /// no text.
    pub document: Option<u32>,
    /// The object as kubectl names it: `deployment.apps/web`. Empty when that much could not be
    /// read.
    pub title: String,
    /// What was done, or why not.
    pub outcome: Result<Done, Refusal>,
}

/// What was done.
#[derive(Clone, Debug)]
pub struct Done {
    /// The object as it is now, or as it was when it was deleted.
    pub object: Object,
    /// What was done to it.
    pub action: Action,
    /// What kubectl prints beside it as warnings. Usually none.
    pub warnings: Vec<String>,
}

/// Why nothing was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The API server's reason in one word: `Invalid`. Empty when the refusal is kubectl's own.
    pub reason: String,
    /// The whole message as kubectl prints it.
    pub message: String,
    /// The places in the text that it is about.
    pub marks: Vec<Mark>,
}

/// A place in the text and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The path of the field: `spec.replicas`. Empty for the whole document.
    pub field: String,
    /// What is wrong with the field, in the API server's words.
    pub message: String,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

impl Refusal {
    /// A refusal of the API server, as kubectl prints it.
    #[must_use]
    pub fn of(status: &Status) -> Self {
        let (reason, message) = (status.reason().to_string(), printed(status));
        Refusal { reason, message, marks: Vec::new() }
    }

    /// A refusal of kubectl's own.
    #[must_use]
    pub fn own(error: &str) -> Self {
        Refusal { reason: String::new(), message: format!("error: {error}"), marks: Vec::new() }
    }
}

impl DocumentResult {
    /// The result of something done outside a text.
    #[must_use]
    pub fn done(title: String, object: Object, action: Action) -> Self {
        let outcome = Ok(Done { object, action, warnings: Vec::new() });
        DocumentResult { document: None, title, outcome }
    }

    /// The result of something refused outside a text.
    #[must_use]
    pub fn refused(title: String, status: Status) -> Self {
        DocumentResult { document: None, title, outcome: Err(Refusal::of(&status)) }
    }

    /// Whether it was done.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.outcome.is_ok()
    }

    /// Why it was refused, as kubectl prints it.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.outcome.as_ref().err().map(|refusal| refusal.message.as_str())
    }
}

impl fmt::Display for DocumentResult {
    /// As kubectl prints it: `deployment.apps/web created`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = match &self.outcome {
            Ok(done) => done,
            Err(refusal) => return f.write_str(&refusal.message),
        };
        if done.action != Action::Deleted {
            return write!(f, "{} {}", self.title, done.action.word());
        }
        // Upstream: staging/src/k8s.io/kubectl/pkg/cmd/delete/delete.go, PrintObj
        let (kind, name) = self.title.split_once('/').unwrap_or(("", &self.title));
        write!(f, "{kind} {name:?} deleted")?;
        match done.object.namespace() {
            "" => Ok(()),
            namespace => write!(f, " from {namespace} namespace"),
        }
    }
}

/// An object as kubectl names it: `deployment.apps/web`.
#[must_use]
pub fn title(kind: &Kind, name: &str) -> String {
    if kind.group.is_empty() {
        format!("{}/{name}", kind.singular)
    } else {
        format!("{}.{}/{name}", kind.singular, kind.group)
    }
}

/// A Status as kubectl prints it.
/// Upstream: staging/src/k8s.io/kubectl/pkg/cmd/util/helpers.go, checkErr
fn printed(status: &Status) -> String {
    let message = status.message();
    if !status.is(Reason::Invalid) {
        return match status.reason() {
            "" => format!("Error from server: {message}"),
            "Unauthorized" => {
                format!("error: You must be logged in to the server ({message})")
            }
            reason => format!("Error from server ({reason}): {message}"),
        };
    }
    let details = status.as_meta().details.as_ref();
    let text = |text: Option<&String>| text.cloned().unwrap_or_default();
    let kind = text(details.and_then(|details| details.kind.as_ref()));
    let name = text(details.and_then(|details| details.name.as_ref()));
    let causes = details.and_then(|details| details.causes.as_deref()).unwrap_or_default();
    let mut words = "The request is invalid".to_string();
    if !kind.is_empty() || !name.is_empty() {
        words = format!("The {kind} {name:?} is invalid");
    } else if !message.is_empty() && causes.is_empty() {
        words = format!("{words}: {message}");
    }
    let mut errors: Vec<String> = Vec::new();
    for cause in causes {
        let error = format!("{}: {}", text(cause.field.as_ref()), text(cause.message.as_ref()));
        if !errors.contains(&error) {
            errors.push(error);
        }
    }
    match errors.as_slice() {
        [] => words,
        [error] => format!("{words}: {error}"),
        errors => {
            let lines: Vec<String> = errors.iter().map(|error| format!("\n* {error}")).collect();
            format!("{words}: {}", lines.concat())
        }
    }
}
