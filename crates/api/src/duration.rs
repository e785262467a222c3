//! Durations as people read them: two or three figures of a length of time.
//!
//! Upstream: staging/src/k8s.io/apimachinery/pkg/util/duration/duration.go

use jiff::SignedDuration;

/// A length of time in two or three figures: `2m30s`, `5h`, `3d4h`. A little less than nothing
/// counts as nothing, because clocks differ.
#[must_use]
pub fn human_duration(duration: SignedDuration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        ..-1 => return "<invalid>".to_string(),
        -1..0 => return "0s".to_string(),
        0..120 => return format!("{seconds}s"),
        _ => {}
    }
    let minutes = seconds / 60;
    if minutes < 10 {
        return two(minutes, "m", seconds % 60, "s");
    }
    if minutes < 180 {
        return format!("{minutes}m");
    }
    let hours = minutes / 60;
    let days = hours / 24;
    match hours {
        0..8 => two(hours, "h", minutes % 60, "m"),
        8..48 => format!("{hours}h"),
        48..192 => two(days, "d", hours % 24, "h"),
        192..17_520 => format!("{days}d"),
        17_520..70_080 => two(days / 365, "y", days % 365, "d"),
        _ => format!("{}y", days / 365),
    }
}

/// A length of time in one figure: `2m`, `5h`, `3d`.
#[must_use]
pub fn short_human_duration(duration: SignedDuration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        ..-1 => "<invalid>".to_string(),
        -1..0 => "0s".to_string(),
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        86_400..31_536_000 => format!("{}d", seconds / 86_400),
        _ => format!("{}y", seconds / 31_536_000),
    }
}

/// Two figures; the second only when it is not zero.
fn two(large: i64, large_unit: &str, small: i64, small_unit: &str) -> String {
    if small == 0 {
        format!("{large}{large_unit}")
    } else {
        format!("{large}{large_unit}{small}{small_unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1;
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    const YEAR: i64 = 365 * DAY;

    /// Upstream: staging/src/k8s.io/apimachinery/pkg/util/duration/duration_test.go
    #[test]
    fn human_duration_table() {
        for (seconds, want) in [
            (-2 * SECOND, "<invalid>"),
            (-SECOND, "0s"),
            (0, "0s"),
            (SECOND, "1s"),
            (70 * SECOND, "70s"),
            (190 * SECOND, "3m10s"),
            (70 * MINUTE, "70m"),
            (47 * HOUR, "47h"),
            (49 * HOUR, "2d1h"),
            (8 * DAY + 2 * HOUR, "8d"),
            (367 * DAY, "367d"),
            (2 * YEAR + 25 * HOUR, "2y1d"),
            (8 * YEAR + 2 * HOUR, "8y"),
            (119 * SECOND, "119s"),
            (120 * SECOND, "2m"),
            (10 * MINUTE - SECOND, "9m59s"),
            (10 * MINUTE, "10m"),
            (3 * HOUR - SECOND, "179m"),
            (3 * HOUR, "3h"),
            (3 * HOUR + MINUTE, "3h1m"),
            (8 * HOUR - SECOND, "7h59m"),
            (8 * HOUR, "8h"),
            (2 * DAY - SECOND, "47h"),
            (2 * DAY, "2d"),
            (8 * DAY - SECOND, "7d23h"),
            (2 * YEAR - SECOND, "729d"),
            (2 * YEAR, "2y"),
            (2 * YEAR + DAY, "2y1d"),
            (8 * YEAR - SECOND, "7y364d"),
            (8 * YEAR + 364 * DAY, "8y"),
        ] {
            assert_eq!(human_duration(SignedDuration::from_secs(seconds)), want, "{seconds} s");
        }
    }

    #[test]
    fn short_human_duration_table() {
        for (seconds, want) in [
            (-2 * SECOND, "<invalid>"),
            (-SECOND, "0s"),
            (59 * SECOND, "59s"),
            (MINUTE, "1m"),
            (HOUR, "1h"),
            (DAY - SECOND, "23h"),
            (YEAR - SECOND, "364d"),
            (YEAR, "1y"),
        ] {
            let duration = SignedDuration::from_secs(seconds);
            assert_eq!(short_human_duration(duration), want, "{seconds} s");
        }
    }
}
