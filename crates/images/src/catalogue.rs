//! The registries' answers, and the way from a command to its program.

use runtime::{
    Environment, Image, ImageCatalogue, ImageReference, Process, PullError, Signal, StartError,
};
use sim::{Digest, Duration};

use crate::apps::{base, boutique};
use crate::tags::Tags;
use crate::userland::Lookup;
use crate::{all, boot, official, server, userland};

/// What is known of an image.
#[derive(Debug)]
pub struct ImageDefinition {
    /// The repository with its registry.
    pub repository: &'static str,
    /// Which tags there are.
    pub tags: Tags,
    /// The compressed size of a tag that begins so; the first that matches counts.
    pub sizes: &'static [(&'static str, u64)],
    /// The command that runs unless the pod gives one.
    pub entrypoint: &'static [&'static str],
    /// The entrypoint's arguments.
    pub command: &'static [&'static str],
    /// Environment variables.
    pub variables: &'static [(&'static str, &'static str)],
    /// The signal that asks it to end.
    pub stop_signal: Signal,
    /// The user it runs as.
    pub user: i64,
    /// Whether it holds a shell and the usual Unix commands.
    pub has_userland: bool,
    /// The programs of its own, by the command's last path element.
    pub program: fn(name: &str, environment: &Environment) -> Option<Box<dyn Process>>,
    /// Other programs of its own, for tags that begin so; the first that matches counts.
    pub by_tag: &'static [(&'static str, Lookup)],
    /// Its files that matter.
    pub files: &'static [(&'static str, &'static str)],
}

impl ImageDefinition {
    fn lookup(&self, tag: &str) -> Lookup {
        let own = self.by_tag.iter().find(|(prefix, _)| tag.starts_with(prefix));
        own.map_or(self.program, |(_, lookup)| *lookup)
    }
}

/// The catalogue of all images.
#[derive(Clone, Copy, Debug, Default)]
pub struct Catalogue;

/// The catalogue of the images that a cluster boots with. What it lists it answers as the whole
/// catalogue does; of all else it says that it does not know.
#[derive(Clone, Copy, Debug, Default)]
pub struct BootCatalogue;

impl BootCatalogue {
    fn definition(repository: &str) -> Option<&'static ImageDefinition> {
        boot().iter().copied().find(|definition| definition.repository == repository)
    }
}

impl ImageCatalogue for BootCatalogue {
    fn resolve(&self, reference: &ImageReference) -> Result<Image, PullError> {
        let repository = reference.repository();
        let tag = reference.tag.as_deref().unwrap_or("latest");
        let known = Self::definition(&repository).ok_or_else(PullError::undecided)?;
        if reference.digest.is_none() && !known.tags.contain(tag) {
            return Err(PullError::undecided());
        }
        let digest = reference.digest.clone().unwrap_or_else(|| digest_of(&repository, tag));
        Ok(describe_listed(repository, digest, tag, known))
    }

    fn start(
        &self,
        image: &Image,
        environment: &Environment,
    ) -> Result<Box<dyn Process>, StartError> {
        let command = environment.argv.first().map(String::as_str).unwrap_or_default();
        let name = command.rsplit('/').next().unwrap_or_default();
        let known = Self::definition(&image.repository).ok_or_else(StartError::undecided)?;
        known.lookup(&image.tag)(name, environment).ok_or_else(|| match known.has_userland {
            true => StartError::undecided(),
            false => not_found(command),
        })
    }
}

/// How long it takes to find out that there is no such image.
const REFUSED_AFTER: Duration = Duration::from_millis(900);
/// How long a name takes that cannot be resolved.
const UNRESOLVED_AFTER: Duration = Duration::from_millis(150);

fn definition(repository: &str) -> Option<&'static ImageDefinition> {
    let mut listed = boot().iter().chain(all()).copied();
    let listed = listed.find(|definition| definition.repository == repository);
    let base = || base::IMAGES.iter().find(|definition| definition.repository == repository);
    listed.or_else(base).or_else(|| boutique::definition(repository))
}

/// 64 hexadecimal digits that stand for the content of an image.
fn digest_of(repository: &str, tag: &str) -> String {
    let part = |seed: u64| {
        let mut digest = Digest::new();
        digest.u64(seed);
        digest.str(repository);
        digest.str(tag);
        digest.finish()
    };
    format!("sha256:{}{}", part(1), part(2))
}

fn refuse(reference: &ImageReference, code: &str, why: &str, after: Duration) -> PullError {
    let message = format!(
        "rpc error: code = {code} desc = failed to pull and unpack image \"{reference}\": failed \
         to resolve reference \"{reference}\": {why}"
    );
    PullError { message, after, is_undecided: false }
}

/// What stands in the way before the registry can be asked.
fn unreachable(reference: &ImageReference) -> Option<PullError> {
    let host = reference.registry.split(':').next().unwrap_or_default();
    let port = reference.registry.split_once(':').map_or("443", |(_, port)| port);
    let target = reference.digest.as_ref().or(reference.tag.as_ref()).cloned().unwrap_or_default();
    let head = format!(
        "failed to do request: Head \"https://{}/v2/{}/manifests/{target}\"",
        reference.registry, reference.path
    );
    let reserved = ["example", "invalid", "test"];
    let top = host.rsplit('.').next().unwrap_or_default();
    if host == "localhost" || host.starts_with("127.") {
        let why = format!("{head}: dial tcp 127.0.0.1:{port}: connect: connection refused");
        return Some(refuse(reference, "Unknown", &why, UNRESOLVED_AFTER));
    }
    if reserved.contains(&top) {
        let why = format!("{head}: dial tcp: lookup {host}: no such host");
        return Some(refuse(reference, "Unknown", &why, UNRESOLVED_AFTER));
    }
    None
}

impl ImageCatalogue for Catalogue {
    fn resolve(&self, reference: &ImageReference) -> Result<Image, PullError> {
        if let Some(error) = unreachable(reference) {
            return Err(error);
        }
        let repository = reference.repository();
        let known = definition(&repository);
        let tag = reference.tag.as_deref().unwrap_or("latest");
        let official = reference.registry == "docker.io"
            && reference
                .path
                .strip_prefix("library/")
                .is_some_and(|name| known.is_none() && official::size_bytes(name).is_none());
        if official {
            let why = "pull access denied, repository does not exist or may require \
                       authorization: server message: insufficient_scope: authorization failed";
            return Err(refuse(reference, "Unknown", why, REFUSED_AFTER));
        }
        let tagged = reference.digest.is_none();
        if tagged && known.is_some_and(|known| !known.tags.contain(tag)) {
            let why = format!("{reference}: not found");
            return Err(refuse(reference, "NotFound", &why, REFUSED_AFTER));
        }
        let digest = reference.digest.clone().unwrap_or_else(|| digest_of(&repository, tag));
        Ok(describe(repository, digest, tag, known))
    }

    fn start(
        &self,
        image: &Image,
        environment: &Environment,
    ) -> Result<Box<dyn Process>, StartError> {
        let command = environment.argv.first().map(String::as_str).unwrap_or_default();
        let name = command.rsplit('/').next().unwrap_or_default();
        let known = definition(&image.repository);
        let lookup = known.map_or(userland::no_program as Lookup, |known| known.lookup(&image.tag));
        let own = match known {
            Some(_) => lookup(name, environment),
            None => server::program(command).or_else(|| lookup(name, environment)),
        };
        let has_userland = known.is_none_or(|known| known.has_userland);
        let program = own.or_else(|| {
            has_userland.then(|| userland::start(command, environment, lookup)).flatten()
        });
        program.ok_or_else(|| not_found(command))
    }
}

fn not_found(command: &str) -> StartError {
    let why = match command {
        "" => "no command specified".to_string(),
        path if path.contains('/') => {
            format!("exec: {path:?}: stat {path}: no such file or directory")
        }
        name => format!("exec: {name:?}: executable file not found in $PATH"),
    };
    StartError {
        message: format!(
            "failed to create containerd task: failed to create shim task: OCI runtime create \
             failed: runc create failed: unable to start container process: error during \
             container init: {why}: unknown"
        ),
        is_undecided: false,
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_string()).collect()
}

fn describe(
    repository: String,
    digest: String,
    tag: &str,
    known: Option<&ImageDefinition>,
) -> Image {
    let Some(known) = known else {
        let name = repository.strip_prefix("docker.io/library/").unwrap_or_default();
        let size_bytes =
            official::size_bytes(name).unwrap_or_else(|| server::size_bytes(&repository));
        return Image {
            repository,
            tag: tag.to_string(),
            digest,
            size_bytes,
            entrypoint: words(&[server::ENTRYPOINT]),
            command: Vec::new(),
            variables: Vec::new(),
            stop_signal: Signal::Term,
            user: 0,
            files: &[],
        };
    };
    describe_listed(repository, digest, tag, known)
}

fn describe_listed(
    repository: String,
    digest: String,
    tag: &str,
    known: &ImageDefinition,
) -> Image {
    let size = known.sizes.iter().find(|(prefix, _)| tag.starts_with(prefix));
    let variable = |(name, value): &(&str, &str)| ((*name).to_string(), (*value).to_string());
    Image {
        repository,
        tag: tag.to_string(),
        digest,
        size_bytes: size.map_or(0, |(_, size)| *size),
        entrypoint: words(known.entrypoint),
        command: words(known.command),
        variables: known.variables.iter().map(variable).collect(),
        stop_signal: known.stop_signal,
        user: known.user,
        files: known.files,
    }
}
