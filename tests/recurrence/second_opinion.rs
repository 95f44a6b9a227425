//! Random rules against the `rrule` crate, where it is right.
//!
//! What it is known to get wrong is not drawn here (`calsync-core/docs/recurrence.md`): BYWEEKNO; numbered days beyond what it reads, or
//! next to plain ones; BYSETPOS in weekly rules; steps by hours and less that a part filters. Everything is in UTC, because it
//! is wrong about gaps and hours as well.

use super::slow::{Chance, Drawn, draw_start, setting};
use calsync_core::Zone;
use calsync_core::calendar::{Reading, Series, Start};
use rrule::RRuleSet;

fn is_known_to_differ(rule: &Drawn) -> bool {
    let numbered = |number: i64| number != 0;
    let mixed = rule.days.iter().any(|(number, _)| numbered(*number))
        && rule.days.iter().any(|(number, _)| !numbered(*number));
    let beyond = rule.days.iter().any(|(number, _)| number.abs() > 4);
    !rule.weeks.is_empty()
        || mixed
        || beyond
        || (rule.freq == 2 && !rule.places.is_empty())
        || (rule.freq > 3 && rule.text().contains(";BY"))
}

#[test]
fn random_rules_give_what_the_rrule_crate_gives_where_it_is_right() {
    let rules = setting("CALSYNC_RECURRENCE_RULES", 400);
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for seed in 1..=rules {
        let chance = &mut Chance(seed ^ 0x2e4a);
        let rule = Drawn::draw(chance);
        if is_known_to_differ(&rule) {
            continue;
        }
        let start = draw_start(chance);
        let ours_starts = Start::Zoned(start, Zone::utc());
        let text = rule.text_for(&ours_starts);
        let series = Series::parse(&ours_starts, [text.as_str()], Reading::Strict).unwrap();
        // Some never match, and are looked for until the work is spent.
        let Ok(ours) = series.occurrences().take(25).collect::<Result<Vec<_>, _>>() else { continue };
        let ours: Vec<_> = ours.iter().map(|found| found.instant().timestamp()).collect();
        let set: RRuleSet = match format!("DTSTART:{}\n{text}", start.format("%Y%m%dT%H%M%SZ")).parse() {
            Ok(set) => set,
            Err(error) => {
                wrong.push(format!("{seed}: {text}: {error}"));
                continue;
            }
        };
        let theirs = set.all(25);
        let found: Vec<_> = theirs.dates.iter().map(|date| date.timestamp()).collect();
        // It gives up after 100,000 steps, and says so or not.
        let gave_up =
            found.len() < ours.len() && ours.starts_with(&found) && (theirs.limited || found.is_empty());
        if gave_up {
            continue;
        }
        compared += 1;
        if found != ours {
            let at = (0..25).find(|at| found.get(*at) != ours.get(*at)).unwrap();
            let show = |list: &[i64]| list.get(at).and_then(|at| chrono::DateTime::from_timestamp(*at, 0));
            wrong.push(format!("{seed}: {start} {text}: {at}: {:?}, they {:?}", show(&ours), show(&found)));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {compared} differ:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(8)].join("\n")
    );
    assert!(compared > rules / 4, "{compared} of {rules} were compared");
}
