//! A content line of recurrence, taken apart (RFC 5545, section 3.1).
//!
//! A colon or semicolon within quotation marks belongs to the value of a parameter. What a parameter means is not judged here:
//! who reads a line strictly refuses what is odd about it, who compares lines or cuts them takes them as they are.

use super::rule::Refused;

/// A line: its name, its parameters, and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// In upper case; RDATE where dates are listed under the name of RRULE.
    pub(crate) name: String,
    /// What stands between the semicolons before the colon, as written.
    pub(crate) parameters: Vec<&'a str>,
    /// What stands behind the colon.
    pub(crate) value: &'a str,
    /// Whether its name was another one.
    pub(crate) renamed: bool,
}

impl<'a> Line<'a> {
    /// Takes a line apart; blanks around it are nobody's.
    ///
    /// # Errors
    /// A line without a colon, or with a quotation mark that is not closed.
    pub(crate) fn of(text: &'a str) -> Result<Self, Refused> {
        let text = text.trim();
        let (head, value) = cut(text).ok_or_else(|| match text.split_once(':') {
            Some((head, _)) => Refused::new(head, "a quotation mark that is not closed"),
            None => Refused::new(text, "a line without a colon"),
        })?;
        let mut words = words(head);
        let name = words.next().unwrap_or_default().trim().to_ascii_uppercase();
        // Google has been seen to give `RRULE:DATE;TZID=Europe/Warsaw:2023…` where RDATE is meant.
        if name == "RRULE"
            && !value.to_ascii_uppercase().contains("FREQ=")
            && let Some((inner, dates)) = cut(value)
        {
            let parameters = self::words(inner).collect();
            return Ok(Self { name: "RDATE".to_owned(), parameters, value: dates, renamed: true });
        }
        Ok(Self { name, parameters: words.collect(), value, renamed: false })
    }

    /// The value of a parameter, without quotation marks; of one that is there twice, the first.
    pub(crate) fn parameter(&self, name: &str) -> Option<&'a str> {
        let mut said = self.parameters.iter().filter_map(|word| word.split_once('='));
        let (_, value) = said.find(|(found, _)| found.trim().eq_ignore_ascii_case(name))?;
        Some(value.trim_matches('"'))
    }

    /// What stands before the colon, by the name that is meant.
    pub(crate) fn head(&self) -> String {
        self.parameters.iter().fold(self.name.clone(), |head, word| head + ";" + word)
    }

    /// Whether it is an RRULE or EXRULE.
    pub(crate) fn is_rule(&self) -> bool {
        matches!(self.name.as_str(), "RRULE" | "EXRULE")
    }
}

/// Where a character stands that is not within quotation marks; nothing where one is not closed before it.
fn outside(text: &str, wanted: char) -> Option<usize> {
    let mut quoted = false;
    for (at, letter) in text.char_indices() {
        match letter {
            '"' => quoted = !quoted,
            _ if letter == wanted && !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

fn cut(text: &str) -> Option<(&str, &str)> {
    let at = outside(text, ':')?;
    Some((&text[..at], &text[at + 1..]))
}

fn words(head: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(head);
    std::iter::from_fn(move || {
        let text = rest?;
        let (word, after) = match outside(text, ';') {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
        rest = after;
        Some(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, name: &str, parameters: &[&str], value: &str) {
        let line = Line::of(text).expect("a line");
        assert_eq!((line.name.as_str(), &line.parameters[..], line.value), (name, parameters, value));
    }

    #[test]
    fn what_stands_within_quotation_marks_takes_no_line_apart() {
        check("rrule;X-FOO=\"a:b;c\":FREQ=DAILY", "RRULE", &["X-FOO=\"a:b;c\""], "FREQ=DAILY");
        check(
            "EXDATE;TZID=\"(UTC+01:00) Berlin\":20261127T090000",
            "EXDATE",
            &["TZID=\"(UTC+01:00) Berlin\""],
            "20261127T090000",
        );
        check(" RDATE;;VALUE=DATE:20261127 ", "RDATE", &["", "VALUE=DATE"], "20261127");
        let line = Line::of("EXDATE;X=1;tzid=\"UTC\";TZID=Z:").expect("a line");
        assert_eq!(
            (line.parameter("TZID"), line.head().as_str()),
            (Some("UTC"), "EXDATE;X=1;tzid=\"UTC\";TZID=Z")
        );
        for text in ["RRULE;X=\"a:FREQ=DAILY", "RRULE", ""] {
            assert!(Line::of(text).is_err(), "{text}");
        }
    }

    #[test]
    fn dates_under_the_name_of_a_rule_are_a_list_of_dates() {
        check("RRULE:DATE;TZID=Europe/Warsaw:20230313", "RDATE", &["DATE", "TZID=Europe/Warsaw"], "20230313");
        check("RRULE:FREQ=DAILY;X=a:b", "RRULE", &[], "FREQ=DAILY;X=a:b");
    }
}
