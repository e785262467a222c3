//! What the Tab and Enter keys do in the editor. Pure; positions count UTF-16 units, as a
//! textarea does.

/// A new text and selection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Edit {
    /// First unit that is replaced.
    pub from: usize,
    /// The unit after the last that is replaced.
    pub to: usize,
    /// What takes their place.
    pub insert: String,
    /// Selection afterwards.
    pub selection: (usize, usize),
}

const SPACE: u16 = b' ' as u16;
const NEWLINE: u16 = b'\n' as u16;

fn line_start(text: &[u16], at: usize) -> usize {
    text[..at].iter().rposition(|unit| *unit == NEWLINE).map_or(0, |index| index + 1)
}

/// The Tab key: spaces up to the next even column, or two before every selected line.
pub fn indent(text: &str, start: usize, end: usize) -> Edit {
    let units: Vec<u16> = text.encode_utf16().collect();
    let (start, end) = (start.min(units.len()), end.min(units.len()));
    if !units[start..end].contains(&NEWLINE) {
        let insert = if (start - line_start(&units, start)).is_multiple_of(2) { "  " } else { " " };
        let caret = start + insert.len();
        return Edit { from: start, to: end, insert: insert.into(), selection: (caret, caret) };
    }
    lines(&units, start, end, |line| format!("  {line}"))
}

/// Shift and Tab: up to two spaces less before every selected line.
pub fn outdent(text: &str, start: usize, end: usize) -> Edit {
    let units: Vec<u16> = text.encode_utf16().collect();
    lines(&units, start.min(units.len()), end.min(units.len()), |line| {
        let line = line.strip_prefix(' ').unwrap_or(line);
        line.strip_prefix(' ').unwrap_or(line).to_owned()
    })
}

fn lines(units: &[u16], start: usize, end: usize, change: impl Fn(&str) -> String) -> Edit {
    let from = line_start(units, start);
    let rest = units[end..].iter().position(|unit| *unit == NEWLINE);
    let to = rest.map_or(units.len(), |index| end + index);
    let old = String::from_utf16_lossy(&units[from..to]);
    let new: Vec<String> = old.split('\n').map(change).collect();
    let insert = new.join("\n");
    let length = insert.encode_utf16().count();
    let selection = if start == end {
        let caret = (start + length).saturating_sub(to - from).max(from);
        (caret, caret)
    } else {
        (from, from + length)
    };
    Edit { from, to, insert, selection }
}

/// The Enter key: the new line begins below the old one, deeper after `:` and `- `.
pub fn newline(text: &str, start: usize, end: usize) -> Edit {
    let units: Vec<u16> = text.encode_utf16().collect();
    let (start, end) = (start.min(units.len()), end.min(units.len()));
    let line = &units[line_start(&units, start)..start];
    let mut depth = line.iter().take_while(|unit| **unit == SPACE).count();
    let content = String::from_utf16_lossy(&line[depth..]);
    if content.starts_with("- ") {
        depth += 2;
    }
    if content.trim_end().ends_with(':') && !content.starts_with('#') {
        depth += 2;
    }
    let insert = format!("\n{}", " ".repeat(depth));
    let caret = start + insert.len();
    Edit { from: start, to: end, insert, selection: (caret, caret) }
}

/// Where a line and column (both from 1) are in a text, in UTF-16 units.
pub fn offset_of(text: &str, line: u32, column: u32) -> usize {
    let mut offset = 0;
    for (index, content) in text.split('\n').enumerate() {
        let length = content.encode_utf16().count();
        if index + 1 >= line as usize {
            return offset + (column.max(1) as usize - 1).min(length);
        }
        offset += length + 1;
    }
    offset.saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(text: &str, edit: &Edit) -> String {
        let units: Vec<u16> = text.encode_utf16().collect();
        let insert = edit.insert.encode_utf16();
        let all: Vec<u16> = units[..edit.from]
            .iter()
            .copied()
            .chain(insert)
            .chain(units[edit.to..].iter().copied())
            .collect();
        String::from_utf16(&all).unwrap()
    }

    #[test]
    fn tab_goes_to_the_next_even_column() {
        assert_eq!(done("ab", &indent("ab", 2, 2)), "ab  ");
        assert_eq!(done("abc", &indent("abc", 3, 3)), "abc ");
        assert_eq!(done("中文", &indent("中文", 2, 2)), "中文  ");
    }

    #[test]
    fn tab_moves_selected_lines_and_shift_tab_moves_them_back() {
        let text = "a:\n  b\nc";
        let edit = indent(text, 1, 5);
        let deeper = done(text, &edit);
        assert_eq!(deeper, "  a:\n    b\nc");
        let back = outdent(&deeper, edit.selection.0, edit.selection.1);
        assert_eq!(done(&deeper, &back), text);
        assert_eq!(done(" x", &outdent(" x", 2, 2)), "x");
    }

    #[test]
    fn enter_keeps_the_depth_and_goes_deeper_after_a_colon() {
        for (line, depth) in [
            ("spec:", 2),
            ("  replicas: 3", 2),
            ("  - name: web", 4),
            ("    ports:", 6),
            ("# note:", 0),
            ("- containers:", 4),
        ] {
            let edit = newline(line, line.len(), line.len());
            assert_eq!(edit.insert.len() - 1, depth, "{line}");
        }
    }

    #[test]
    fn a_position_is_found_and_stays_within_the_text() {
        let text = "kind: Pod\nname: 中文\n";
        assert_eq!(offset_of(text, 1, 1), 0);
        assert_eq!(offset_of(text, 2, 7), 16);
        assert_eq!(offset_of(text, 2, 99), 18);
        assert_eq!(offset_of(text, 99, 1), 19, "the end of the text");
    }
}
