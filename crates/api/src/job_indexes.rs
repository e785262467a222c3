//! Sets of the indexes of a Job as its status writes them: `1,3-5,7`.
//!
//! Upstream: pkg/controller/job/indexed_job_utils.go and validateIndexesFormat in
//! pkg/apis/batch/validation/validation.go

/// Indexes in increasing order, as intervals of which both ends belong to the set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Indexes(Vec<(i32, i32)>);

impl Indexes {
    /// Reads a set whose indexes are less than `completions`.
    ///
    /// # Errors
    /// What is wrong with the text, in upstream's words.
    pub fn parse(text: &str, completions: i32) -> Result<Self, String> {
        let mut intervals: Vec<(i32, i32)> = Vec::new();
        if text.is_empty() {
            return Ok(Indexes(intervals));
        }
        for part in text.split(',') {
            let (first, last) = interval(part, completions)?;
            if let Some((_, previous)) = intervals.last().filter(|(_, last)| *last >= first) {
                return Err(not_increasing(*previous, first));
            }
            intervals.push((first, last));
        }
        Ok(Indexes(intervals))
    }

    /// Reads what can be read of a set: what is out of range is left out, as a Job that was made
    /// smaller has it. Upstream: parseIndexesFromString.
    #[must_use]
    pub fn parse_below(text: &str, completions: i32) -> Self {
        let mut intervals: Vec<(i32, i32)> = Vec::new();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let mut ends = part.split('-').map(str::parse::<i32>);
            let Some(Ok(first)) = ends.next() else { continue };
            let last = match ends.next() {
                Some(Ok(last)) => last,
                Some(Err(_)) => continue,
                None => first,
            };
            if first >= completions {
                break;
            }
            let last = last.min(completions - 1);
            match intervals.last_mut() {
                Some((_, previous)) if *previous + 1 == first => *previous = last,
                _ => intervals.push((first, last)),
            }
        }
        Indexes(intervals)
    }

    /// The set of some indexes, which come in increasing order.
    #[must_use]
    pub fn of(indexes: impl IntoIterator<Item = i32>) -> Self {
        let mut intervals: Vec<(i32, i32)> = Vec::new();
        for index in indexes {
            match intervals.last_mut() {
                Some((_, last)) if *last >= index => {}
                Some((_, last)) if *last + 1 == index => *last = index,
                _ => intervals.push((index, index)),
            }
        }
        Indexes(intervals)
    }

    /// How many indexes there are.
    #[must_use]
    pub fn total(&self) -> i32 {
        self.0.iter().map(|(first, last)| last - first + 1).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the set has that index.
    #[must_use]
    pub fn contains(&self, index: i32) -> bool {
        let place = self.0.partition_point(|(_, last)| *last < index);
        self.0.get(place).is_some_and(|(first, _)| *first <= index)
    }

    /// The intervals, of which both ends belong to the set.
    #[must_use]
    pub fn intervals(&self) -> &[(i32, i32)] {
        &self.0
    }

    /// The same set with those indexes more, which come in increasing order.
    #[must_use]
    pub fn with(&self, indexes: &[i32]) -> Self {
        let mut merged: Vec<(i32, i32)> = Vec::new();
        let mut own = self.0.iter().copied().peekable();
        let mut new = indexes.iter().map(|index| (*index, *index)).peekable();
        loop {
            let next = match (own.peek(), new.peek()) {
                (Some(one), Some(other)) if one.0 <= other.0 => own.next(),
                (_, Some(_)) => new.next(),
                (Some(_), None) => own.next(),
                (None, None) => None,
            };
            let Some((first, last)) = next else { return Indexes(merged) };
            match merged.last_mut() {
                Some((_, previous)) if *previous + 1 >= first => *previous = last.max(*previous),
                _ => merged.push((first, last)),
            }
        }
    }

    /// How many indexes both sets have.
    #[must_use]
    pub fn common(&self, other: &Indexes) -> i32 {
        let mut count = 0;
        for (first, last) in &self.0 {
            let place = other.0.partition_point(|(_, end)| end < first);
            let overlapping = other.0.iter().skip(place).take_while(|(start, _)| start <= last);
            count +=
                overlapping.map(|(start, end)| last.min(end) - first.max(start) + 1).sum::<i32>();
        }
        count
    }

    /// The first index that both sets have.
    #[must_use]
    pub fn overlap(&self, other: &Indexes) -> Option<i32> {
        self.0.iter().find_map(|(first, last)| {
            let place = other.0.partition_point(|(_, end)| end < first);
            let (start, _) = other.0.get(place).filter(|(start, _)| start <= last)?;
            Some(*first.max(start))
        })
    }
}

impl std::fmt::Display for Indexes {
    /// Two neighbours are written one by one, three and more as an interval.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (number, (first, last)) in self.0.iter().enumerate() {
            if number > 0 {
                f.write_str(",")?;
            }
            match last - first {
                0 => write!(f, "{first}")?,
                1 => write!(f, "{first},{last}")?,
                _ => write!(f, "{first}-{last}")?,
            }
        }
        Ok(())
    }
}

fn not_increasing(previous: i32, current: i32) -> String {
    format!("non-increasing order, previous: {previous}, current: {current}")
}

/// Upstream: parseIndexInterval.
fn interval(text: &str, completions: i32) -> Result<(i32, i32), String> {
    let ends: Vec<&str> = text.split('-').collect();
    let index = |text: &str| {
        let parsed = text.parse::<i32>();
        let number =
            parsed.map_err(|_| format!("cannot convert string to integer for index: {text:?}"))?;
        if number >= completions {
            return Err(format!("too large index: {text:?}"));
        }
        Ok(number)
    };
    match ends[..] {
        [only] => index(only).map(|index| (index, index)),
        [first, last] => {
            let (first, last) = (index(first)?, index(last)?);
            if first >= last {
                return Err(not_increasing(first, last));
            }
            Ok((first, last))
        }
        _ => Err(format!(
            "the fragment {text:?} violates the requirement that an index interval can have at \
             most two parts separated by '-'"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Upstream: TestValidateIndexesFormat.
    #[test]
    fn validate_indexes_format() {
        for (text, completions, want) in [
            ("", 6, Ok(0)),
            ("0", 6, Ok(1)),
            ("1-3,5", 6, Ok(4)),
            ("1,2", 6, Ok(2)),
            (
                "1-3-5",
                6,
                Err("the fragment \"1-3-5\" violates the requirement that an index \
                interval can have at most two parts separated by '-'"),
            ),
            ("a", 6, Err("cannot convert string to integer for index: \"a\"")),
            ("8", 6, Err("too large index: \"8\"")),
            ("0-8", 6, Err("too large index: \"8\"")),
            ("3,2", 6, Err("non-increasing order, previous: 3, current: 2")),
            ("3-2", 6, Err("non-increasing order, previous: 3, current: 2")),
        ] {
            let found = Indexes::parse(text, completions).map(|indexes| indexes.total());
            assert_eq!(found, want.map_err(str::to_string), "{text}");
        }
    }

    #[test]
    fn sets_grow_and_print() {
        let set = Indexes::parse_below("0,2-4,9-20", 12);
        assert_eq!(set.to_string(), "0,2-4,9-11");
        assert_eq!(set.total(), 7);
        assert_eq!(set.with(&[1, 5, 7]).to_string(), "0-5,7,9-11");
        assert_eq!(set.with(&[]).to_string(), "0,2-4,9-11");
        assert_eq!(Indexes::of([1, 2, 4]).to_string(), "1,2,4");
        assert!(set.contains(3) && !set.contains(5) && !set.contains(12));
        assert_eq!(set.overlap(&Indexes::of([5, 10])), Some(10));
        assert_eq!(set.overlap(&Indexes::of([5])), None);
        assert_eq!(set.common(&Indexes::of([0, 3, 4, 5, 11])), 4);
    }
}
