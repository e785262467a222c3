//! Numbers, times and quantities as people read them. Pure.

/// An age or a length of time as kubectl prints it.
/// Upstream: `apimachinery/pkg/util/duration/duration.go`, `HumanDuration`.
pub fn human_duration(milliseconds: i64) -> String {
    let seconds = milliseconds / 1000;
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let days = hours / 24;
    let pair = |large: i64, large_unit: &str, small: i64, small_unit: &str| {
        if small == 0 {
            format!("{large}{large_unit}")
        } else {
            format!("{large}{large_unit}{small}{small_unit}")
        }
    };
    match () {
        () if seconds < -1 => "<invalid>".to_owned(),
        () if seconds < 0 => "0s".to_owned(),
        () if seconds < 120 => format!("{seconds}s"),
        () if minutes < 10 => pair(minutes, "m", seconds % 60, "s"),
        () if minutes < 180 => format!("{minutes}m"),
        () if hours < 8 => pair(hours, "h", minutes % 60, "m"),
        () if hours < 48 => format!("{hours}h"),
        () if hours < 24 * 8 => pair(days, "d", hours % 24, "h"),
        () if hours < 24 * 365 * 2 => format!("{days}d"),
        () if hours < 24 * 365 * 8 => pair(days / 365, "y", days % 365, "d"),
        () => format!("{}y", days / 365),
    }
}

/// The virtual clock since boot: `00:03:12`, with days before it when there are any.
pub fn clock(milliseconds: i64) -> String {
    let seconds = milliseconds.max(0) / 1000;
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let time = format!("{:02}:{:02}:{:02}", rest / 3600, rest % 3600 / 60, rest % 60);
    if days == 0 { time } else { format!("{days}d {time}") }
}

/// A time of the virtual clock within a log: `00:03:12.040`.
pub fn clock_precise(milliseconds: i64) -> String {
    format!("{}.{:03}", clock(milliseconds), milliseconds.max(0) % 1000)
}

/// Thousandths of a core as a Kubernetes quantity.
pub fn cpu(milli: i64) -> String {
    if milli % 1000 == 0 { (milli / 1000).to_string() } else { format!("{milli}m") }
}

/// A number of tenths, its last digit left away if it is 0. Floats are never printed as such:
/// the code for that is a tenth of the page's.
pub fn tenths(tenths: i64) -> String {
    match (tenths / 10, tenths % 10) {
        (whole, 0) => whole.to_string(),
        (whole, tenth) => format!("{whole}.{}", tenth.abs()),
    }
}

/// Bytes as a Kubernetes quantity of at most one decimal.
pub fn memory(bytes: i64) -> String {
    const UNITS: [&str; 5] = ["", "Ki", "Mi", "Gi", "Ti"];
    let (mut scale, mut unit) = (1_i64, 0);
    while bytes.abs() / scale >= 1024 && unit + 1 < UNITS.len() {
        scale *= 1024;
        unit += 1;
    }
    let rounded = (bytes as f64 / scale as f64 * 10.0).round() as i64;
    format!("{}{}", tenths(rounded), UNITS[unit])
}

/// A speed such as `×0.5` or `×100`.
pub fn speed(factor: f64) -> String {
    match factor {
        f if f >= 10.0 => format!("×{}", f.round() as i64),
        f => format!("×{}", tenths((f * 10.0).round() as i64)),
    }
}

/// The nearest number between two bounds. Unlike `f64::clamp`, whose panic would print all three,
/// it does not bring the code that prints floating-point numbers into the download.
pub fn within(value: f64, low: f64, high: f64) -> f64 {
    value.max(low).min(high)
}

/// How full something is, from 0 to 1.
pub fn fraction(part: i64, whole: i64) -> f64 {
    if whole <= 0 { 0.0 } else { within(part as f64 / whole as f64, 0.0, 1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The table of upstream's TestHumanDuration (duration_test.go).
    #[test]
    fn durations_are_kubectls() {
        let (second, minute, hour) = (1000, 60_000, 3_600_000);
        let (day, year) = (24 * hour, 365 * 24 * hour);
        for (milliseconds, want) in [
            (second, "1s"),
            (70 * second, "70s"),
            (190 * second, "3m10s"),
            (70 * minute, "70m"),
            (47 * hour, "47h"),
            (49 * hour, "2d1h"),
            (8 * day + 2 * hour, "8d"),
            (367 * day, "367d"),
            (2 * year + 3 * day, "2y3d"),
            (8 * year + 2 * day, "8y"),
            (0, "0s"),
            (-1000, "0s"),
            (-2000, "<invalid>"),
            (2 * minute, "2m"),
            (3 * hour, "3h"),
            (4 * hour + 5 * minute, "4h5m"),
            (2 * day, "2d"),
        ] {
            assert_eq!(human_duration(milliseconds), want, "{milliseconds} ms");
        }
    }

    #[test]
    fn the_clock_counts_days_only_when_there_are_any() {
        assert_eq!(clock(192_999), "00:03:12");
        assert_eq!(clock(86_400_000 + 61_000), "1d 00:01:01");
        assert_eq!(clock(-5), "00:00:00");
        assert_eq!(clock_precise(1_040), "00:00:01.040");
    }

    #[test]
    fn quantities_are_short() {
        assert_eq!(cpu(250), "250m");
        assert_eq!(cpu(4000), "4");
        assert_eq!(memory(128 * 1024 * 1024), "128Mi");
        assert_eq!(memory(1536 * 1024 * 1024), "1.5Gi");
        assert_eq!(memory(0), "0");
        assert_eq!(speed(0.1), "×0.1");
        assert_eq!(speed(1.0), "×1");
        assert_eq!(speed(847.3), "×847");
    }

    #[test]
    fn a_fraction_of_nothing_is_empty() {
        assert_eq!(fraction(3, 0), 0.0);
        assert_eq!(fraction(3, 2), 1.0);
        assert_eq!(fraction(1, 4), 0.25);
    }
}
