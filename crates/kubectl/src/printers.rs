//! Tables as `kubectl get` prints them.
//!
//! Upstream: staging/src/k8s.io/cli-runtime/pkg/printers/{tableprinter.go,tabwriter.go}

use api::{Cell, Column, Kind, Object};
use jiff::Timestamp;

/// The least width of a column, and the space between two.
const MIN_WIDTH: usize = 6;
const PADDING: usize = 3;

/// The table of objects of one kind, with the columns of `-o wide` if asked for. No objects make
/// no table, not even headings.
#[must_use]
pub fn table(kind: &Kind, objects: &[Object], now: Timestamp, wide: bool) -> String {
    printed(kind, objects, now, (wide, false))
}

/// The same table with a column of namespaces, as `-A` prints it.
#[must_use]
pub fn table_of_namespaces(kind: &Kind, objects: &[Object], now: Timestamp, wide: bool) -> String {
    printed(kind, objects, now, (wide, kind.is_namespaced()))
}

fn printed(
    kind: &Kind,
    objects: &[Object],
    now: Timestamp,
    (wide, with_namespace): (bool, bool),
) -> String {
    if objects.is_empty() {
        return String::new();
    }
    let columns = (kind.columns)();
    let is_shown = |column: &Column| wide || column.priority == 0;
    let namespace = with_namespace.then(|| "NAMESPACE".to_string());
    let headings = columns.iter().filter(|column| is_shown(column));
    let headings = headings.map(|column| column.name.to_uppercase());
    let mut rows: Vec<Vec<String>> = vec![namespace.into_iter().chain(headings).collect()];
    for object in objects {
        let namespace = with_namespace.then(|| shown(object.namespace()));
        let cells = (object.behaviour().row)(object, now);
        let cells = cells.iter().zip(columns).filter(|(_, column)| is_shown(column));
        let cells = cells.map(|(cell, _)| match cell {
            Cell::String(text) => shown(text),
            Cell::Integer(number) => number.to_string(),
        });
        rows.push(namespace.into_iter().chain(cells).collect());
    }
    aligned(&rows)
}

/// A cell ends at its first line break, and cannot move a terminal's cursor.
fn shown(text: &str) -> String {
    let escaped = |text: &str| text.replace('\u{1b}', "^[");
    match text.find(['\n', '\r', '\u{c}']) {
        Some(end) => format!("{}...", escaped(&text[..end])),
        None => escaped(text),
    }
}

/// Every column but the last as wide as its widest cell and the padding.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let widest = cells.map(String::len).max().unwrap_or(0);
        (widest + PADDING).max(MIN_WIDTH)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        for (index, cell) in row.iter().enumerate() {
            text.push_str(cell);
            if index + 1 < row.len() {
                let missing = widths[index].saturating_sub(cell.len());
                text.extend(std::iter::repeat_n(' ', missing));
            }
        }
        text.push('\n');
    }
    text
}
