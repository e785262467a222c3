//! Upstream: robfig/cron's parser_test.go and spec_test.go

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::{Schedule, time_zone};

fn at(text: &str, zone: &TimeZone) -> Timestamp {
    let local: Timestamp = format!("{text}Z").parse().expect("a time");
    let offset = |at| SignedDuration::from_secs(zone.to_offset(at).seconds().into());
    let near = local.checked_sub(offset(local)).expect("in range");
    local.checked_sub(offset(near)).expect("in range")
}

#[test]
fn next_instants() {
    let utc = TimeZone::UTC;
    for (from, schedule, want) in [
        // Simple cases.
        ("2012-07-09T14:45:00", "0/15 * * * *", "2012-07-09T15:00:00"),
        ("2012-07-09T14:59:00", "0/15 * * * *", "2012-07-09T15:00:00"),
        ("2012-07-09T14:59:59", "0/15 * * * *", "2012-07-09T15:00:00"),
        // Wrap around hours, days, months and years.
        ("2012-07-09T15:45:00", "20-35/15 * * * *", "2012-07-09T16:20:00"),
        ("2012-07-09T23:46:00", "*/15 * * * *", "2012-07-10T00:00:00"),
        ("2012-07-09T23:45:00", "20-35/15 1/2 * * *", "2012-07-10T01:20:00"),
        ("2012-07-09T23:45:00", "20-35/15 10-12 * * *", "2012-07-10T10:20:00"),
        ("2012-07-09T23:35:00", "0 0 9 Apr-Oct ?", "2012-08-09T00:00:00"),
        ("2012-07-09T23:35:00", "0 0 */5 Apr,Aug,Oct Mon", "2012-08-01T00:00:00"),
        ("2012-07-09T23:35:00", "0 0 */5 Oct Mon", "2012-10-01T00:00:00"),
        ("2012-07-09T23:35:00", "0 0 * Feb Mon", "2013-02-04T00:00:00"),
        ("2012-07-09T23:35:00", "0 0 * Feb Mon/2", "2013-02-01T00:00:00"),
        ("2012-12-31T23:59:45", "* * * * *", "2013-01-01T00:00:00"),
        // Leap year.
        ("2012-07-09T23:35:00", "0 0 29 Feb ?", "2016-02-29T00:00:00"),
        // Descriptors.
        ("2012-07-09T23:35:10", "@hourly", "2012-07-10T00:00:00"),
        ("2012-07-09T23:35:10", "@yearly", "2013-01-01T00:00:00"),
        ("2012-07-09T23:35:10", "@weekly", "2012-07-15T00:00:00"),
        ("2012-07-09T23:35:51", "@every 15m", "2012-07-09T23:50:51"),
        ("2012-07-09T23:35:51", "@every 1h25m9s", "2012-07-10T01:01:00"),
    ] {
        let next = Schedule::parse(schedule).expect("a schedule").next(at(from, &utc), &utc);
        assert_eq!(next, Some(at(want, &utc)), "{from} {schedule}");
    }
    let never = Schedule::parse("0 0 30 Feb ?").expect("a schedule");
    assert_eq!(never.next(at("2012-07-09T23:35:00", &utc), &utc), None);
}

/// The clock of New York leaves out an hour in March and shows one twice in November.
#[test]
fn clocks_that_are_changed() {
    let zone = time_zone("America/New_York").expect("a zone");
    let next = |from: &str, schedule: &str| {
        let from: Timestamp = from.parse().expect("a time");
        let next = Schedule::parse(schedule).expect("a schedule").next(from, &zone);
        next.map(|it| it.to_string()).unwrap_or_default()
    };
    for (from, schedule, want) in [
        ("2026-03-08T05:00:00Z", "30 2 8 Mar ?", "2027-03-08T07:30:00Z"),
        ("2026-03-08T05:00:00Z", "0 * * * *", "2026-03-08T06:00:00Z"),
        ("2026-03-08T06:00:00Z", "0 * * * *", "2026-03-08T07:00:00Z"),
        ("2026-11-01T04:00:00Z", "30 1 * * *", "2026-11-01T05:30:00Z"),
        ("2026-11-01T05:30:00Z", "30 1 * * *", "2026-11-01T06:30:00Z"),
        ("2026-11-01T07:00:00Z", "0 0 * * *", "2026-11-02T05:00:00Z"),
    ] {
        assert_eq!(next(from, schedule), want, "{from} {schedule}");
    }
}

#[test]
fn zones_have_their_offsets() {
    let instant: Timestamp = "2026-07-01T12:00:00Z".parse().expect("a time");
    for (name, want) in [
        ("UTC", "2026-07-01T12:00:00+00:00[UTC]"),
        ("Asia/Shanghai", "14:00"),
        ("Europe/Berlin", "14:00"),
        ("Asia/Kolkata", "17:30"),
        ("America/St_Johns", "09:30"),
        ("Australia/Lord_Howe", "22:30"),
    ] {
        let Some(zone) = time_zone(name) else { panic!("{name}") };
        let shown = zone.to_datetime(instant).to_string();
        let want = match name {
            "UTC" => "12:00",
            "Asia/Shanghai" => "20:00",
            _ => want,
        };
        assert_eq!(shown, format!("2026-07-01T{want}:00"), "{name}");
    }
    assert_eq!(time_zone("Middle/Earth"), None);
    assert_eq!(time_zone(""), None);
}

#[test]
fn schedules_that_are_none() {
    for (text, want) in [
        ("", "empty spec string"),
        ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
        ("@unrecognized", "unrecognized descriptor: @unrecognized"),
        ("@every 5x", "failed to parse duration @every 5x: time: invalid duration \"5x\""),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("1/2/3 * * * *", "too many slashes: 1/2/3"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("* 24 * * *", "end of range (24) above maximum (23): 24"),
        ("* * * * 7", "end of range (7) above maximum (6): 7"),
        ("10-5 * * * *", "beginning of range (10) beyond end of range (5): 10-5"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("-1 * * * *", "failed to parse int from : strconv.Atoi: parsing \"\": invalid syntax"),
        ("x * * * *", "failed to parse int from x: strconv.Atoi: parsing \"x\": invalid syntax"),
        ("TZ=Foo * * * * *", "provided bad location Foo: unknown time zone Foo"),
    ] {
        assert_eq!(Schedule::parse(text), Err(want.to_string()), "{text}");
    }
}
