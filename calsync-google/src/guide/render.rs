//! A guide as text, and as Markdown.

use super::{Guide, Pasted};
use crate::text::markdown;
use std::fmt::{self, Write as _};

/// Plain text, unwrapped: one line for each thing to do.
impl fmt::Display for Guide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n\n{}", self.title, self.way.about())?;
        for (n, step) in self.steps.iter().enumerate() {
            writeln!(f, "\n{}. {}", n + 1, step.place)?;
            writeln!(f, "   {}", step.what)?;
            for paste in &step.paste {
                match &paste.value {
                    Pasted::Known(value) => writeln!(f, "   {}: {value}", paste.label)?,
                    Pasted::Unknown(what) => writeln!(f, "   {}: «{what}»", paste.label)?,
                }
            }
            for trap in &step.traps {
                writeln!(f, "   ! {trap}")?;
            }
        }
        match &self.support {
            Some(support) => writeln!(f, "\nQuestions: {support}"),
            None => Ok(()),
        }
    }
}

impl Guide {
    /// The guide as Markdown (CommonMark): a heading, a numbered list, values in code spans.
    pub fn to_markdown(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = self.markdown_into(&mut text);
        text
    }

    fn markdown_into(&self, f: &mut String) -> fmt::Result {
        writeln!(f, "# {}\n\n{}", self.title, self.way.about())?;
        for (n, step) in self.steps.iter().enumerate() {
            let number = format!("{}. ", n + 1);
            // What belongs to an item of a list stands as deep as its text.
            let deep = " ".repeat(number.len());
            writeln!(f, "\n{number}**{}**\n", step.place)?;
            writeln!(f, "{deep}{}", step.what)?;
            if !step.paste.is_empty() {
                writeln!(f)?;
            }
            for paste in &step.paste {
                match &paste.value {
                    Pasted::Known(value) => writeln!(f, "{deep}- {}: {}", paste.label, code(value))?,
                    Pasted::Unknown(what) => writeln!(f, "{deep}- {}: *«{what}»*", paste.label)?,
                }
            }
            for trap in &step.traps {
                writeln!(f, "\n{deep}> **Note:** {trap}")?;
            }
        }
        match &self.support {
            Some(support) => writeln!(f, "\nQuestions: {}", code(support)),
            None => Ok(()),
        }
    }
}

/// A value as a code span, which is copied as it is. One with characters that end a span, open a tag or divide a table is written as
/// text instead, with these escaped: not every reader of Markdown knows spans with longer fences, and a host may put it in a table.
fn code(value: &str) -> String {
    if value.contains(['`', '<', '|', '\\']) { markdown(value) } else { format!("`{value}`") }
}
