//! Making somebody else's text fit to stand in one of ours.
//!
//! Names, addresses and links come from settings, files and people. They may say what they like, and not more than that: they end no
//! line, turn no direction of writing, open no tag and no heading.

/// A text on one line: what moves the cursor, or turns the direction of what follows, is taken out, runs of white space become one blank,
/// and what is longer than `chars_max` ends in `…`.
pub(crate) fn shown(text: &str, chars_max: usize) -> String {
    let plain = text.chars().filter(|c| c.is_whitespace() || !is_steering(*c));
    let plain: String = plain.map(|c| if c.is_whitespace() { ' ' } else { c }).collect();
    let plain = plain.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    if plain.chars().count() <= chars_max {
        return plain;
    }
    let mut cut: String = plain.chars().take(chars_max.saturating_sub(1)).collect();
    cut.truncate(cut.trim_end().len());
    cut.push('…');
    cut
}

/// Whether a character moves the cursor, is not seen, or turns the direction of what follows it. The two joiners are letters of several
/// languages.
fn is_steering(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// A text inside of HTML, between tags or in a quoted attribute.
pub(crate) fn html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A text inside of a line of Markdown: whatever could open something is escaped. Tags are written as in HTML, so that they are none in
/// a page either that takes Markdown for text.
pub(crate) fn markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' | '$' => escaped.extend(['\\', c]),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Puts values in place of their names in braces, once: what a value says is never looked at, and a name that is not known stays.
pub(crate) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(template.len() + 64);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let found = after.split_once('}').and_then(|(name, after)| {
            values.iter().find(|(known, _)| *known == name).map(|(_, value)| (value, after))
        });
        match found {
            Some((value, after)) => {
                filled.push_str(value);
                rest = after;
            }
            None => {
                filled.push('{');
                rest = after;
            }
        }
    }
    filled.push_str(rest);
    filled
}

/// Adds a paragraph in lines of at most `chars_max` characters, the first after `first` and the others after `then`. A word that is
/// longer than a line stands alone on one, whole, because an address in two pieces is none.
pub(crate) fn wrap(into: &mut String, text: &str, first: &str, then: &str, chars_max: usize) {
    into.push_str(first);
    let mut taken = first.chars().count();
    let mut fresh = true;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let length = word.chars().count();
        if !fresh && taken + 1 + length > chars_max {
            into.push('\n');
            into.push_str(then);
            taken = then.chars().count();
            fresh = true;
        }
        if !fresh {
            into.push(' ');
            taken += 1;
        }
        into.push_str(word);
        taken += length;
        fresh = false;
    }
    into.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_ends_no_line_and_steers_nothing() {
        assert_eq!(shown(" A\r\nBcc: x@y\t \u{202e}b\u{7}\u{2028}c\u{feff} ", 99), "A Bcc: x@y b c");
        assert_eq!(shown("\n\u{200b}\u{1b}", 99), "");
        assert_eq!(shown("abcdef", 6), "abcdef");
        assert_eq!(shown("abcd efg", 6), "abcd…");
    }

    #[test]
    fn a_value_is_filled_in_once_and_not_read_again() {
        let values = [("app", "{when}{app}"), ("when", "now")];
        assert_eq!(fill("{app}, {when}, {other}, {app", &values), "{when}{app}, now, {other}, {app");
    }

    #[test]
    fn a_paragraph_is_wrapped_between_words_and_a_long_word_stays_whole() {
        let mut text = String::new();
        wrap(&mut text, "one two  three 0123456789abc é four", "- ", "  ", 9);
        assert_eq!(text, "- one two\n  three\n  0123456789abc\n  é four\n");
    }

    #[test]
    fn a_text_opens_nothing_in_html_and_in_markdown() {
        assert_eq!(html(r#"<a href='x' title="y">&"#), "&lt;a href=&#39;x&#39; title=&quot;y&quot;&gt;&amp;");
        assert_eq!(markdown("a|b<c`d[e](f)*g"), r"a\|b&lt;c\`d\[e\](f)\*g");
    }
}
