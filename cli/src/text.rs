//! How text looks on a terminal.

use std::fmt::{Display, Write};

/// The text on one line: a name out of a file may hold line breaks and a terminal's commands.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char.is_control() {
            true => out.extend(char.escape_default()),
            false => out.push(char),
        }
    }
    out
}

/// A number with its digits in groups of three.
pub fn grouped(number: impl Display) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Sizes as in `24x3x3x3`.
pub fn sizes(sizes: &[usize]) -> String {
    join(sizes, "x")
}

pub fn join<T: Display>(items: impl IntoIterator<Item = T>, between: &str) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    items.join(between)
}

/// A text's words in lines of at most so many columns, if none is longer.
pub fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut width = 0;
    for word in text.split_whitespace() {
        let word_width = console::measure_text_width(word);
        let line = lines.last_mut().expect("never empty");
        if line.is_empty() {
            width = word_width;
            line.push_str(word);
        } else if width + 1 + word_width <= columns {
            width += 1 + word_width;
            line.extend([" ", word]);
        } else {
            width = word_width;
            lines.push(word.to_owned());
        }
    }
    lines
}

/// Where a column's cells stand.
#[derive(Clone, Copy, PartialEq)]
pub enum Align {
    Left,
    Right,
}

/// Rows of cells, one for each of `align`, with the columns under each other, two spaces apart.
pub fn table(align: &[Align], rows: &[impl AsRef<[String]>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| &row.as_ref()[column]);
        cells.map(|cell| console::measure_text_width(cell)).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..align.len()).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.as_ref().iter().enumerate() {
            let space = " ".repeat(widths[column] - console::measure_text_width(cell));
            let _ = match align[column] {
                Align::Left => write!(line, "{cell}{space}  "),
                Align::Right => write!(line, "{space}{cell}  "),
            };
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_spelled_out() {
        assert_eq!(printable("a\nb\u{1b}[2Jé"), "a\\nb\\u{1b}[2Jé");
    }

    #[test]
    fn digits_stand_in_threes() {
        let numbers = [0, 999, 1000, 123_456, 1_234_567].map(grouped);
        assert_eq!(numbers, ["0", "999", "1,000", "123,456", "1,234,567"]);
    }

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrapped("a bc  def ghij klmno p", 6), ["a bc", "def", "ghij", "klmno", "p"]);
        assert_eq!(wrapped("éé éé longer\nx", 5), ["éé éé", "longer", "x"]);
        assert_eq!(wrapped(" ", 5), [""]);
    }

    #[test]
    fn columns_are_aligned() {
        let rows = [["a", "10"], ["bcd", "9"]].map(|row| row.map(str::to_owned));
        assert_eq!(table(&[Align::Left, Align::Right], &rows), "a    10\nbcd   9\n");
    }
}
