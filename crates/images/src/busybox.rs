//! BusyBox: a shell and the usual Unix commands in one program.

use runtime::{Environment, Process, Signal};

use crate::catalogue::ImageDefinition;
use crate::tags::Tags;
use crate::userland;

const fn image(repository: &'static str) -> ImageDefinition {
    ImageDefinition {
        repository,
        tags: Tags::Released {
            newest: &[(1, 38)],
            words: &["latest", "stable", "unstable"],
            variants: &["glibc", "musl", "uclibc"],
        },
        sizes: &[("musl", 800_000), ("uclibc", 700_000), ("", 2_156_518)],
        entrypoint: &[],
        command: &["sh"],
        variables: &[],
        stop_signal: Signal::Term,
        user: 0,
        has_userland: true,
        program: |_, _| None,
        by_tag: &[
            ("1.20", old_program),
            ("1.21", old_program),
            ("1.22", old_program),
            ("1.23", old_program),
            ("1.24", old_program),
            ("1.25", old_program),
            ("1.26", old_program),
            ("1.27", old_program),
            ("1.28", old_program),
        ],
        files: &[],
    }
}

/// `busybox`.
pub(crate) static IMAGE: ImageDefinition = image("docker.io/library/busybox");

/// `registry.k8s.io/busybox`, an old BusyBox.
pub(crate) static OF_KUBERNETES: ImageDefinition =
    ImageDefinition { program: old_program, ..image("registry.k8s.io/busybox") };

/// The commands of the versions up to 1.28 that differ from today's.
pub(crate) fn old_program(name: &str, environment: &Environment) -> Option<Box<dyn Process>> {
    (name == "nslookup").then(|| userland::old_nslookup(&environment.argv))
}
