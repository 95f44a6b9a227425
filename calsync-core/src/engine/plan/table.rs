//! A plan as a table, for a terminal or a log.

use super::{Plan, PlanRow, RowState};
use crate::model::Unit;
use std::fmt;

/// Wider cells are cut.
const CELL_MAX: usize = 40;

const HEAD: [&str; 7] = ["row", "", "action", "appointment", "when", "fields", "guests"];

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "plan {} of binding {}, made {}",
            self.id,
            self.binding,
            self.made.format("%Y-%m-%d %H:%M UTC")
        )?;
        let counts: Vec<String> =
            self.counts.iter().map(|(action, count)| format!("{action} {count}")).collect();
        let states: Vec<String> =
            self.states.iter().map(|(state, count)| format!("{count} {state}")).collect();
        if counts.is_empty() {
            writeln!(f, "  nothing to do")?;
        } else {
            writeln!(f, "  {}; {}", counts.join(", "), states.join(", "))?;
            table(f, &self.shown)?;
        }
        let left = self.states.values().sum::<u64>() - self.shown.len() as u64;
        if left > 0 {
            writeln!(f, "  … and {left} more rows")?;
        }
        for held in &self.held {
            writeln!(f, "  ! {held}")?;
        }
        for warning in &self.warnings {
            writeln!(f, "  ! {warning}")?;
        }
        Ok(())
    }
}

fn table(f: &mut fmt::Formatter<'_>, rows: &[PlanRow]) -> fmt::Result {
    let lines: Vec<[String; 7]> = rows.iter().map(cells).collect();
    let mut widths = HEAD.map(|head| head.chars().count());
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut write = |line: [&str; 7], reason: &str| {
        let cells = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        writeln!(f, "  {}", format!("{line}  {reason}").trim_end())
    };
    write(HEAD, "reason")?;
    for (line, row) in lines.iter().zip(rows) {
        write(line.each_ref().map(String::as_str), &reason(row))?;
    }
    Ok(())
}

fn cells(row: &PlanRow) -> [String; 7] {
    let mark = match row.state {
        RowState::Selected => "[x]",
        RowState::Deselected => "[ ]",
        RowState::Moved => "[?]",
        RowState::Done => "done",
        RowState::Idle | RowState::Replaced => "",
    };
    let units: Vec<&str> = row.units.iter().map(Unit::as_str).collect();
    let guests = match (row.guests_told, row.guests_untold) {
        (0, 0) => String::new(),
        (0, untold) => format!("{untold} not told"),
        (told, 0) => format!("{told} told by mail"),
        (told, untold) => format!("{told} told by mail, {untold} not"),
    };
    [
        row.number.to_string(),
        mark.to_owned(),
        row.action.to_string(),
        cut(row.summary.as_deref().unwrap_or("(private)")),
        row.starts.clone().unwrap_or_default(),
        cut(&units.join(" ")),
        guests,
    ]
}

fn reason(row: &PlanRow) -> String {
    match &row.candidates[..] {
        [] => row.reason.clone(),
        candidates => format!("{}; candidates: {}", row.reason, candidates.join(" ")),
    }
}

/// One line, not too long.
fn cut(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.chars().count() <= CELL_MAX {
        return line;
    }
    line.chars().take(CELL_MAX - 1).chain(['…']).collect()
}
