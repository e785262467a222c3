//! Which images exist and what runs in them, seen from whoever runs containers.

use std::fmt;

use sim::Duration;

use crate::{Environment, ImageReference, Process, Signal};

/// What a registry says of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The repository with its registry: `docker.io/library/nginx`.
    pub repository: String,
    /// The tag it was asked for by; `latest` if none was named.
    pub tag: String,
    /// The digest of the manifest: `sha256:` and 64 hexadecimal digits.
    pub digest: String,
    /// The size of the compressed layers.
    pub size_bytes: u64,
    /// The command that runs unless the pod gives one.
    pub entrypoint: Vec<String>,
    /// The arguments that go with the entrypoint unless the pod gives a command or arguments.
    pub command: Vec<String>,
    /// Environment variables that the image sets, as name and value.
    pub variables: Vec<(String, String)>,
    /// The signal that asks the program to end.
    pub stop_signal: Signal,
    /// The numeric user the program runs as.
    pub user: i64,
    /// The files in it that matter, by their paths; of programs, only those that are copied.
    pub files: &'static [(&'static str, &'static str)],
}

/// Why an image could not be pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullError {
    /// The container runtime's message, with its gRPC code.
    pub message: String,
    /// How long it took to find out.
    pub after: Duration,
    /// Whether there may well be such an image: the catalogue is not all that there is.
    pub is_undecided: bool,
}

impl PullError {
    /// The catalogue does not list the image, and another does perhaps.
    #[must_use]
    pub fn undecided() -> Self {
        PullError { message: String::new(), after: Duration::ZERO, is_undecided: true }
    }
}

/// Why a program could not be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartError {
    /// The container runtime's message.
    pub message: String,
    /// Whether there may well be such a program: the catalogue is not all that there is.
    pub is_undecided: bool,
}

impl StartError {
    /// The catalogue does not know the program, and another does perhaps.
    #[must_use]
    pub fn undecided() -> Self {
        StartError { message: String::new(), is_undecided: true }
    }
}

/// All images: what the registries of the simulated world hold. The cluster hands one to every
/// node.
pub trait ImageCatalogue: Send + Sync {
    /// What the registry answers to a pull.
    ///
    /// # Errors
    /// The container runtime's words when there is no such registry, repository or tag.
    fn resolve(&self, reference: &ImageReference) -> Result<Image, PullError>;

    /// The program that `environment.argv` names, as it is found in the image.
    ///
    /// # Errors
    /// The container runtime's words when the image holds no such program.
    fn start(
        &self,
        image: &Image,
        environment: &Environment,
    ) -> Result<Box<dyn Process>, StartError>;
}

impl fmt::Debug for dyn ImageCatalogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ImageCatalogue")
    }
}
