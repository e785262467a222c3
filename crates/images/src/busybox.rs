//! BusyBox: a shell and the usual Unix commands in one program.

use runtime::Signal;

use crate::catalogue::ImageDefinition;
use crate::tags::Tags;

/// `busybox`.
pub(crate) static IMAGE: ImageDefinition = ImageDefinition {
    repository: "docker.io/library/busybox",
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
};
