//! What is said of it, in words.

use super::*;

fn evening() -> Check {
    let hours = compile(office(), "2026-12-01..2026-12-20");
    hours.check(instant("2026-12-01T21:00:00Z"), instant("2026-12-02T00:00:00Z"))
}

#[test]
fn each_language_says_it_in_its_own_words_with_the_times_of_the_schedule() {
    let said = |words: Words| words.warning(Some("Ketel"), &evening()).expect("outside");
    assert_eq!(
        said(Words::dutch()),
        "Let op: deze afspraak valt geheel of gedeeltelijk buiten de werktijden van de medewerker. Ketel, dinsdag 1 december \
         2026, 16:00–19:00 (America/New_York): 17:00–19:00 valt na het einde van de werkdag."
    );
    assert_eq!(
        said(Words::portuguese()),
        "Atenção: este compromisso está, total ou parcialmente, fora do horário de trabalho do agente. Ketel, terça-feira, 1 de \
         dezembro de 2026, 16:00–19:00 (America/New_York): 17:00–19:00 depois do fim do dia de trabalho."
    );
    for (tag, words) in [("en-GB", Words::english()), ("nl", Words::dutch()), ("pt_BR", Words::portuguese())]
    {
        assert_eq!(Words::of_language(tag), Some(words));
    }
    assert_eq!(Words::of_language("tlh"), None);
}

#[test]
fn several_parts_other_days_and_midnight_are_told_apart() {
    let hours = compile(office(), "2026-12-01..2026-12-20");
    let long = hours.check(instant("2026-12-03T16:00:00Z"), instant("2026-12-07T16:00:00Z"));
    let said = Words::english().warning(Some("Move"), &long).expect("outside");
    let (_, detail) = said.split_once("hours. ").expect("two sentences");
    assert_eq!(
        detail,
        "Move, Thursday 3 December 2026, 11:00–Monday 7 December 2026 11:00 (America/New_York): 12:00–13:00 is in a break, \
         17:00–00:00 is after the end of the working day, Friday 4 December 2026 00:00–09:00 is before the start of the \
         working day, and 4 more."
    );
}

#[test]
fn a_series_is_told_by_number_and_first_occurrence() {
    let hours = compile(office(), "2026-12-01..2026-12-20");
    let visits = (0..4).map(|day| {
        let start = instant("2026-12-04T15:00:00Z") + Duration::days(day);
        Visit { slot: crate::model::Slot::Time(start), start, end: start + Duration::hours(1) }
    });
    let found = hours.check_series(visits, LISTED_MAX);
    assert_eq!(
        Words::english().series_warning(Some("Round"), &found).expect("outside"),
        "Please note that part or all of this Appointment falls outside the Agents working hours. Round: 2 of 4 occurrences. The first \
         is on Saturday 5 December 2026, 10:00–11:00 (America/New_York): 10:00–11:00 is on a day off."
    );
}

#[test]
fn what_cannot_be_judged_is_said_with_the_reason_in_each_language() {
    let why = crate::Error::new(crate::ErrorKind::Limit, "too long").cure("Shorten it.");
    let said = |words: Words| words.not_judged(Some("Ketel\u{7}"), &why);
    assert_eq!(
        said(Words::english()),
        "Ketel was not held against working hours: limit: too long. Shorten it."
    );
    assert_eq!(
        said(Words::dutch()),
        "Ketel is niet met de werktijden vergeleken: limit: too long. Shorten it."
    );
    assert_eq!(
        Words::portuguese().not_judged(None, &why),
        "Compromisso não foi comparado com o horário de trabalho: limit: too long. Shorten it."
    );
}

#[test]
fn a_title_is_somebody_elses_text_and_nothing_is_said_where_there_is_nothing_to_say() {
    let words = Words { notice: "!".into(), detail: "{title} {nobody} { {when".into(), ..Words::english() };
    let said = |title: Option<&str>| words.warning(title, &evening()).expect("outside");
    assert_eq!(said(Some("a {when} b")), "! a {when} b {nobody} { {when");
    assert_eq!(said(Some("two\r\nlines\u{202e}\u{7}")), "! two  lines {nobody} { {when");
    assert_eq!(said(Some(" ")), "! Appointment {nobody} { {when");
    assert_eq!(
        said(Some(&"x".repeat(500))),
        format!("! {}… {{nobody}} {{ {{when", "x".repeat(TITLE_CHARS_MAX))
    );
    let hours = compile(office(), "2026-12-01..2026-12-20");
    let inside = hours.check(instant("2026-12-01T15:00:00Z"), instant("2026-12-01T16:00:00Z"));
    assert_eq!(words.warning(None, &inside), None);
    let text = serde_json::to_string(&words).expect("text");
    assert_eq!(serde_json::from_str::<Words>(&text).expect("words"), words);
}
