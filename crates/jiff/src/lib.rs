//! Calendar time: instants as Kubernetes' `Time` and `MicroTime` hold them, read and written as
//! RFC 3339 has them, and what clocks show of them in a time zone.
//!
//! `k8s-openapi` asks for a crate of this name. This one stands in for it (`[patch.crates-io]` in
//! the workspace's manifest) with the part of its interface that is used here: the other knows
//! the history of time zones, spans and calendars, and what it would say of them, which was a
//! thirtieth of the engine. It may know nothing but numbers. It must never read a clock.

pub mod civil;
pub mod fmt;
mod timestamp;
pub mod tz;

pub use timestamp::{SignedDuration, Timestamp};

use std::fmt::{Display, Formatter};

/// Why something is not a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Beyond what can be held.
    Range,
    /// A text that is not in RFC 3339.
    Text,
    /// A format with a letter that is not known.
    Format,
}

impl Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Error::Range => "time out of range",
            Error::Text => "not a time in RFC 3339",
            Error::Format => "unknown format",
        })
    }
}

impl std::error::Error for Error {}
