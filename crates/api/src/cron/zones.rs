//! Time zones by their names. The table says how each goes on from now, as the last line of its
//! file in the time zone database does; what it did in the past is of no use to a cluster.
//!
//! Source: the footers of the IANA time zone database, 2025.

use jiff::tz::TimeZone;

/// One rule a line, and the zones that follow it.
const RULES: &str = include_str!("zones.txt");

/// The time zone of that name. Upstream: time.LoadLocation.
#[must_use]
pub fn time_zone(name: &str) -> Option<TimeZone> {
    let names_zone = |line: &&str| line.split(' ').skip(1).any(|zone| zone == name);
    let rule = RULES.lines().find(names_zone)?.split(' ').next()?;
    TimeZone::posix(rule).ok()
}
