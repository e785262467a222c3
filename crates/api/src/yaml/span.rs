//! Where in the text each value stands: a tree beside the value's own.

/// A place in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

impl Position {
    /// The beginning of a text.
    pub const START: Position = Position { line: 1, column: 1 };

    /// The place where `before` ends.
    pub(super) fn after(before: &str) -> Self {
        let line = before.bytes().filter(|byte| *byte == b'\n').count();
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count();
        Position { line: number(line + 1), column: number(column + 1) }
    }
}

impl Default for Position {
    fn default() -> Self {
        Position::START
    }
}

/// A line or column; texts are far too short for one to be out of range.
pub(super) fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Where a value stands, and where its parts do.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Span {
    pub position: Position,
    pub parts: Parts,
}

/// The parts of a value, in the order of the text.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Parts {
    /// A scalar, or something that stands elsewhere in the text.
    #[default]
    None,
    Map(Vec<MapEntry>),
    List(Vec<Span>),
}

/// One entry of a map.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct MapEntry {
    pub key: String,
    pub key_position: Position,
    pub value: Span,
}

/// Where the end of a path stands: its key and its value.
pub(super) struct Found {
    pub key: Position,
    pub value: Position,
}

impl Span {
    /// The place of a path, or of the longest beginning of it that is in the text.
    pub fn find(&self, path: &str) -> Found {
        let mut span = self;
        let mut found = Found { key: self.position, value: self.position };
        let mut rest = path;
        loop {
            rest = rest.strip_prefix('.').unwrap_or(rest);
            let next = match &span.parts {
                Parts::None => None,
                Parts::Map(entries) => entry(entries, rest)
                    .map(|(entry, rest)| (entry.key_position, &entry.value, rest)),
                Parts::List(items) => {
                    item(items, rest).map(|(item, rest)| (item.position, item, rest))
                }
            };
            let Some((key, value, after)) = next else {
                return found;
            };
            found = Found { key, value: value.position };
            span = value;
            rest = after;
        }
    }

    /// The places of the items of the list under a key.
    pub fn into_items(self, key: &str) -> Vec<Span> {
        let Parts::Map(entries) = self.parts else {
            return Vec::new();
        };
        match entries.into_iter().find(|entry| entry.key == key) {
            Some(MapEntry { value: Span { parts: Parts::List(items), .. }, .. }) => items,
            _ => Vec::new(),
        }
    }
}

/// The entry that a path begins with, and the rest of the path. Keys may hold dots, so the
/// longest key that fits is taken; a key may also stand in brackets.
fn entry<'a>(entries: &'a [MapEntry], path: &'a str) -> Option<(&'a MapEntry, &'a str)> {
    if path.is_empty() {
        return None;
    }
    let fits = |entry: &'a MapEntry| {
        let bracketed = path.strip_prefix('[').and_then(|rest| rest.strip_prefix(&*entry.key));
        if let Some(rest) = bracketed.and_then(|rest| rest.strip_prefix(']')) {
            return Some((entry, rest));
        }
        let rest = path.strip_prefix(&*entry.key)?;
        (rest.is_empty() || rest.starts_with(['.', '['])).then_some((entry, rest))
    };
    entries.iter().filter_map(fits).max_by_key(|(entry, _)| entry.key.len())
}

/// The item that a path's `[index]` names, and the rest of the path.
fn item<'a>(items: &'a [Span], path: &'a str) -> Option<(&'a Span, &'a str)> {
    let (index, rest) = path.strip_prefix('[')?.split_once(']')?;
    let item = items.get(index.parse::<usize>().ok()?)?;
    Some((item, rest))
}
