//! Text tables.

/// Where the last column is broken.
const LAST_CHARS_MAX: usize = 56;

/// Prints rows below a head, columns as wide as they need to be, `indent` blanks before each line. Only the last column is
/// broken into lines.
pub fn print<const N: usize>(indent: usize, head: [&str; N], rows: &[[String; N]]) {
    let mut widths = head.map(width);
    for row in rows {
        for (at, cell) in row.iter().enumerate() {
            let width = if at + 1 < N { width(cell) } else { width(cell).min(LAST_CHARS_MAX) };
            widths[at] = widths[at].max(width);
        }
    }
    let line = |cells: [&str; N]| {
        let mut line = " ".repeat(indent);
        for (at, cell) in cells.into_iter().enumerate() {
            line.push_str(cell);
            line.push_str(&" ".repeat((widths[at] + 2).saturating_sub(width(cell))));
        }
        println!("{}", line.trim_end());
    };
    line(head);
    for row in rows {
        let mut cells = row.each_ref().map(String::as_str);
        let Some(last) = cells.last().map(|last| broken(last)) else { continue };
        for part in &last {
            cells[N - 1] = part;
            line(cells);
            cells = [""; N];
        }
    }
}

/// The text in lines, broken between words.
fn broken(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if width(line) + 1 + width(word) <= LAST_CHARS_MAX => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The first `chars_max` characters, with an ellipsis where that is not all.
pub fn short(text: &str, chars_max: usize) -> String {
    if width(text) <= chars_max {
        return text.to_owned();
    }
    let kept: String = text.chars().take(chars_max.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

fn width(text: &str) -> usize {
    text.chars().count()
}
