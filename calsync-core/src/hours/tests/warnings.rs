//! Warnings over several runs.

use super::*;

/// A run: the version of the hours, and what was judged; what was raised, withdrawn and kept, by occurrence.
#[derive(Default)]
struct Desk {
    standing: Vec<Warning>,
}

impl Desk {
    fn run(&mut self, judged: impl IntoIterator<Item = Judged>) -> [Vec<String>; 3] {
        let settled = settle(self.standing.clone(), judged);
        let names = |warnings: &[Warning]| -> Vec<String> {
            let name = |warning: &Warning| {
                let WarningKey { person, event, occurrence, version } = &warning.key;
                let occurrence = occurrence.map(|slot| format!(" {slot}")).unwrap_or_default();
                assert_eq!(
                    warning.check.version.as_ref(),
                    Some(version),
                    "it is true at the version it names"
                );
                format!("{person} {event}{occurrence} {version}")
            };
            warnings.iter().map(name).collect()
        };
        let said = [names(&settled.raised), names(&settled.withdrawn), names(&settled.kept)];
        self.standing = settled.kept.into_iter().chain(settled.raised).collect();
        said
    }
}

fn hours(version: &str) -> Hours {
    compile(office().version(version), "2026-12-01..2027-02-01")
}

/// A meeting of Amy's on 1 December, from this hour in UTC on.
fn meeting(version: &str, hour: u32) -> Judged {
    let start = instant(&format!("2026-12-01T{hour:02}:00:00Z"));
    Judged::one("amy", "visit", hours(version).check(start, start + Duration::hours(2)))
}

fn nothing() -> Vec<String> {
    Vec::new()
}

#[test]
fn c20_a_warning_is_raised_once_and_withdrawn_when_it_is_no_longer_true() {
    let mut desk = Desk::default();
    let visit = vec!["amy visit v1".to_owned()];
    assert_eq!(desk.run([meeting("v1", 21)]), [visit.clone(), nothing(), nothing()]);
    assert_eq!(desk.run([meeting("v1", 21)]), [nothing(), nothing(), visit.clone()]);
    // A run that looks at other things changes nothing.
    assert_eq!(
        desk.run([Judged::nothing("amy", "other"), Judged::nothing("bob", "visit")]),
        [nothing(), nothing(), visit.clone()]
    );
    // Moved, and outside still: nobody is told again, and what is stored is true.
    assert_eq!(desk.run([meeting("v1", 23)]), [nothing(), nothing(), visit.clone()]);
    assert_eq!(desk.standing[0].check.verdict, Verdict::Outside);
    assert_eq!(desk.run([meeting("v1", 15)]), [nothing(), visit.clone(), nothing()]);
    assert_eq!(desk.run([meeting("v1", 21)]), [visit.clone(), nothing(), nothing()]);
    assert_eq!(desk.run([Judged::nothing("amy", "visit")]), [nothing(), visit, nothing()]);
}

#[test]
fn c20_another_version_of_the_hours_is_another_warning() {
    let mut desk = Desk::default();
    let [old, new] = ["v1", "v2"].map(|version| vec![format!("amy visit {version}")]);
    desk.run([meeting("v1", 21)]);
    assert_eq!(desk.run([meeting("v2", 21)]), [new.clone(), old, nothing()]);
    assert_eq!(desk.run([meeting("v2", 21)]), [nothing(), nothing(), new]);
}

fn series(version: &str, from: &str, listed_max: usize) -> Judged {
    let window = instant(from)..instant("2027-02-01T00:00:00Z");
    let weekly = (0..8).map(|week| {
        let start = instant("2026-12-01T23:00:00Z") + Duration::weeks(week);
        Visit { slot: crate::model::Slot::Time(start), start, end: start + Duration::hours(1) }
    });
    let visits = weekly.filter(|visit| window.contains(&visit.start));
    Judged::series("amy", "round", window.clone(), hours(version).check_series(visits, listed_max))
}

#[test]
fn c20_occurrences_that_were_not_looked_at_or_not_listed_keep_their_warnings() {
    let mut desk = Desk::default();
    let name = |day: &str, version: &str| format!("amy round {day}T230000Z {version}");
    let [first, second, third] = ["20261201", "20261208", "20261215"].map(|day| name(day, "v1"));
    let [raised, ..] = desk.run([series("v1", "2026-12-01T00:00:00Z", 2)]);
    assert_eq!(raised, [first.clone(), second.clone()]);
    // A week later the first is past, and the list goes one further.
    let said = desk.run([series("v1", "2026-12-02T00:00:00Z", 2)]);
    assert_eq!(said, [vec![third.clone()], nothing(), vec![first.clone(), second.clone()]]);
    // Of other hours, all that lies ahead is new, also what is beyond the list now; what is past stays as it was.
    let said = desk.run([series("v2", "2026-12-02T00:00:00Z", 1)]);
    assert_eq!(said, [vec![name("20261208", "v2")], vec![second, third], vec![first.clone()]]);
    // The series became a single appointment within hours.
    let single = Judged::one(
        "amy",
        "round",
        hours("v2").check(instant("2026-12-01T15:00:00Z"), instant("2026-12-01T16:00:00Z")),
    );
    assert_eq!(desk.run([single]), [nothing(), vec![first, name("20261208", "v2")], nothing()]);
}

#[test]
fn a_warning_is_stored_and_read_back() {
    let settled = settle([], [meeting("v1", 21)]);
    let text = serde_json::to_string(&settled.raised).expect("text");
    assert_eq!(serde_json::from_str::<Vec<Warning>>(&text).expect("warnings"), settled.raised);
}
