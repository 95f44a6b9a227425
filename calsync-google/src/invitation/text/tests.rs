use super::*;
use chrono::TimeZone as _;

const LINK: &str = "https://crm.example.com/index.php?entryPoint=connect&state=0123456789abcdef0123456789abcdef0123456789abcdef";
const ADDRESS: &str = "agnes.baker@example.com";

fn expires() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 12, 1, 16, 30, 0).single().expect("a date")
}

fn letter() -> Letter {
    Letter::new("Anna's CRM", ADDRESS, LINK, expires()).expect("a letter")
}

fn full() -> Letter {
    letter()
        .agent_name("Agnes")
        .zone(Zone::new("Europe/Amsterdam").expect("a zone"))
        .features(&Feature::ALL)
        .support("help@example.com")
}

fn every_seen() -> Vec<Seen> {
    vec![
        Seen::Connected,
        Seen::Expired,
        Seen::Used,
        Seen::WrongAccount { expected: ADDRESS.into() },
        Seen::NotTestUser,
        Seen::ScopeUnticked { features: vec![Feature::WriteEvents, Feature::WorkingHours] },
        Seen::Refused,
        Seen::AdminBlocked,
        Seen::OrgInternal,
        Seen::Unverified,
        Seen::Unconfigured,
        Seen::Altered,
        Seen::Unknown,
    ]
}

#[test]
fn a_tag_leads_to_its_language_whatever_the_region() {
    for (tag, language) in [
        ("en", Some(Language::English)),
        ("EN-gb", Some(Language::English)),
        ("nl-BE", Some(Language::Dutch)),
        (" nl ", Some(Language::Dutch)),
        ("pt_BR", Some(Language::Portuguese)),
        ("pt", Some(Language::Portuguese)),
        ("de", None),
        ("nld", None),
        ("", None),
    ] {
        assert_eq!(Language::from_tag(tag), language, "{tag:?}");
    }
    for language in Language::ALL {
        assert_eq!(Language::from_tag(language.tag()), Some(language));
    }
}

#[test]
fn the_mail_says_beforehand_what_google_will_ask() {
    let mail = full().publishing(Publishing::Testing).mail(Language::English);
    assert_eq!(mail.subject, "Connect your Google Calendar to Anna's CRM");
    let said = mail.text.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "Hello Agnes,",
        "The link works once, until Tuesday 1 December 2026, 17:30 (Europe/Amsterdam).",
        "Choose this account, and no other: agnes.baker@example.com",
        "\"Google hasn't verified this app\"",
        "choose \"Continue\"",
        "Tick all boxes (\"Select all\")",
        "- see and change the events of your calendars",
        "Anna's CRM never asks for your password.",
        "https://accounts.google.com/",
        "Questions: help@example.com",
    ] {
        assert!(said.contains(part), "{part:?} is not in {said}");
    }
    assert!(!said.contains("see the events of your calendars"), "carried along by changing them");
}

#[test]
fn the_link_is_whole_on_a_line_of_its_own_and_no_other_line_is_long() {
    let long = Letter::new(&"Wide Name ".repeat(20), ADDRESS, LINK, expires()).expect("a letter");
    for letter in [letter(), full(), long.agent_name(&"W".repeat(200)).features(&Feature::ALL)] {
        for publishing in [None, Some(Publishing::Testing), Some(Publishing::Unverified)] {
            for language in Language::ALL {
                let mut letter = letter.clone();
                letter.publishing = publishing;
                let mail = letter.mail(language);
                assert_eq!(mail.text.lines().filter(|line| *line == LINK).count(), 1, "{}", mail.text);
                assert_eq!(mail.text.matches("https://crm.example.com").count(), 1);
                for line in mail.text.lines().filter(|line| *line != LINK) {
                    assert!(line.chars().count() <= 76, "{line:?}");
                    assert_eq!(line, line.trim_end());
                }
                assert!(mail.text.ends_with('\n') && !mail.text.contains("\n\n\n"));
                assert!(!mail.text.contains(['{', '}']) && !mail.subject.contains('{'), "{}", mail.text);
            }
        }
    }
}

#[test]
fn the_html_has_the_same_words_and_fetches_nothing() {
    for language in Language::ALL {
        let mail = full().mail(language);
        let page = &mail.html;
        let link = LINK.replace('&', "&amp;");
        assert!(page.contains(&format!("<p><a href=\"{link}\">{link}</a></p>")), "{page}");
        assert!(page.contains(&format!("<html lang=\"{}\">", language.tag())));
        for word in ["<script", "<img", "<link", "<style", "src=", "url(", "onclick", "http-equiv", "<iframe"]
        {
            assert!(!page.contains(word), "{word}");
        }
        assert_eq!(page.matches("href=").count(), 1);
        let bare = |text: &str| {
            let mut out = String::new();
            let mut inside = false;
            for c in text.chars() {
                match c {
                    '<' => inside = true,
                    '>' => {
                        inside = false;
                        out.push(' ');
                    }
                    c if !inside => out.push(c),
                    _ => {}
                }
            }
            out.replace("&quot;", "\"").replace("&#39;", "'").replace("&amp;", "&")
        };
        let body = &page[page.find("<body>").expect("a body")..];
        let words = |text: &str| -> Vec<String> {
            let mark = |word: &&str| *word != "-" && !matches!(*word, "1." | "2." | "3.");
            text.split_whitespace().filter(mark).map(str::to_owned).collect()
        };
        assert_eq!(words(&bare(body)), words(&mail.text));
    }
}

#[test]
fn what_a_name_says_stays_a_name() {
    let evil = "<script>alert(1)</script>\r\nBcc: all@example.com {when}";
    let letter = Letter::new(evil, "o'neil&co@example.com", LINK, expires()).expect("a letter");
    let letter = letter.agent_name("</p><img src=x>\u{202e}").support("a@b.example\n\n<b>");
    for language in Language::ALL {
        let mail = letter.mail(language);
        assert!(mail.html.contains("&lt;script&gt;alert(1)&lt;/script&gt; Bcc: all@example.com {when}"));
        assert!(mail.html.contains("<strong>o&#39;neil&amp;co@example.com</strong>"));
        for part in ["<script", "<img", "<b>", "\u{202e}"] {
            assert!(!mail.html.contains(part), "{part:?}");
        }
        assert!(!mail.subject.contains(['\r', '\n']) && !mail.text.contains("\nBcc:"));
        assert!(mail.text.contains("\n   o'neil&co@example.com\n"));
    }
}

#[test]
fn what_cannot_be_mailed_is_refused_without_being_repeated() {
    let link = |link: &str| Letter::new("CRM", ADDRESS, link, expires()).map(|_| ());
    for good in [
        LINK,
        "https://crm.example.com:8443/a?b=c#d",
        "http://127.0.0.1:8080/x",
        "http://localhost/x",
        "http://[::1]:9/",
    ] {
        assert!(link(good).is_ok(), "{good}");
    }
    let long = format!("https://crm.example.com/{}", "a".repeat(2048));
    for bad in [
        "",
        "neversay",
        "javascript:alert('neversay')",
        "http://crm.example.com/neversay",
        "https://crm.example.com/neversay b",
        "https://crm.example.com/neversay\n",
        "https://crm.example.com/\"neversay",
        "https://accounts.google.com@neversay.example/",
        "http://localhost.neversay.example/",
        "ftp://127.0.0.1/neversay",
        "//crm.example.com/neversay",
        &long,
    ] {
        let error = link(bad).expect_err(bad);
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(!format!("{error} {error:?}").contains("neversay"), "{error}");
    }
    for bad in ["", "agnes", "@example.com", "a@", "a@b@c", "a b@example.com", "A <a@example.com>", "a@b\n"] {
        assert!(Letter::new("CRM", bad, LINK, expires()).is_err(), "{bad:?}");
    }
    assert!(Letter::new(" \u{202e}", ADDRESS, LINK, expires()).is_err());
}

#[test]
fn s09_neither_a_letter_nor_a_mail_prints_the_link() {
    let printed = format!("{:?} {:?}", letter(), letter().mail(Language::Dutch));
    assert!(!printed.contains("0123456789abcdef"), "{printed}");
}

#[test]
fn the_warning_is_told_as_far_as_it_will_be_shown() {
    let items = |letter: Letter| letter.mail(Language::English).text.matches("hasn't verified").count();
    assert_eq!(items(letter()), 1, "not known");
    assert_eq!(items(letter().publishing(Publishing::Testing)), 1);
    assert_eq!(items(letter().publishing(Publishing::Unverified)), 1);
    assert_eq!(items(letter().publishing(Publishing::Verified)), 0);
    assert_eq!(items(letter().publishing(Publishing::Internal)), 0);
    let text = letter().publishing(Publishing::Unverified).mail(Language::English).text;
    assert!(text.contains("\"Advanced\""), "{text}");
}

#[test]
fn no_language_borrows_a_sentence_of_english() {
    let english = words::of(Language::English);
    let parts = |words: &words::Words| {
        [
            ("subject", words.subject),
            ("hello_name", words.hello_name),
            ("hello", words.hello),
            ("intro", words.intro),
            ("open", words.open),
            ("once", words.once),
            ("heading", words.heading),
            ("account", words.account),
            ("testing", words.testing),
            ("unverified", words.unverified),
            ("perhaps", words.perhaps),
            ("boxes", words.boxes),
            ("after", words.after),
            ("password", words.password),
            ("withdraw", words.withdraw),
            ("ignore", words.ignore),
            ("questions", words.questions),
        ]
    };
    let names = |text: &str| -> Vec<String> {
        let mut names: Vec<String> =
            text.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0.to_owned())).collect();
        names.sort();
        names.dedup();
        names
    };
    for language in [Language::Dutch, Language::Portuguese] {
        let words = words::of(language);
        for ((name, here), (_, there)) in parts(words).into_iter().zip(parts(english)) {
            assert_ne!(here, there, "{language:?} {name}");
            assert_eq!(names(here), names(there), "{language:?} {name}");
        }
        for feature in Feature::ALL {
            assert_ne!((words.feature)(feature), (english.feature)(feature), "{language:?} {feature:?}");
        }
        for seen in every_seen() {
            let showing = Showing::new("CRM").support("help@example.com");
            let (here, there) = (seen.page(language, &showing), seen.page(Language::English, &showing));
            assert_ne!(here.title, there.title, "{language:?} {seen:?}");
            assert_ne!(here.text, there.text, "{language:?} {seen:?}");
            assert_eq!(here.again, there.again);
        }
        let (here, there) = (full().mail(language), full().mail(Language::English));
        let shared: Vec<&str> = here.text.lines().filter(|l| there.text.lines().any(|e| e == *l)).collect();
        let own = ["", LINK, &format!("   {ADDRESS}")].map(str::to_owned);
        for line in shared.into_iter().filter(|line| !line.starts_with("https://")) {
            assert!(own.contains(&line.to_owned()), "{language:?}: {line:?}");
        }
    }
}

#[test]
fn each_outcome_has_words_of_its_own_and_says_whether_to_try_again() {
    let showing = Showing::new("Anna's CRM");
    for language in Language::ALL {
        let pages: Vec<Page> = every_seen().iter().map(|seen| seen.page(language, &showing)).collect();
        for (at, page) in pages.iter().enumerate() {
            assert!(!page.title.contains(['{', '}']) && !page.text.contains(['{', '}']), "{page:?}");
            assert!(page.text.ends_with('.') && !page.title.ends_with('.'), "{page:?}");
            assert!(pages[..at].iter().all(|other| other.title != page.title && other.text != page.text));
        }
        let again: Vec<bool> = pages.iter().map(|page| page.again).collect();
        let (y, n) = (true, false);
        assert_eq!(again, [n, n, n, y, n, y, y, n, y, y, n, n, y]);
    }
}

#[test]
fn s06_no_account_is_named_to_whoever_holds_a_link_and_the_invited_one_only_to_its_owner() {
    let seen = |expected: &str| Seen::WrongAccount { expected: expected.into() };
    for language in Language::ALL {
        let page = seen(ADDRESS).page(language, &Showing::new("CRM"));
        assert!(page.text.contains("a***@example.com") && !page.text.contains("agnes"), "{}", page.text);
        let page = seen(ADDRESS).page(language, &Showing::new("CRM").signed_in(true));
        assert!(page.text.contains(ADDRESS), "{}", page.text);
        for seen in every_seen().into_iter().filter(|seen| !matches!(seen, Seen::WrongAccount { .. })) {
            let page = seen.page(language, &Showing::new("CRM").signed_in(true));
            assert!(!page.text.contains('@'), "{}", page.text);
        }
    }
    for (address, shown) in
        [("ab@example.com", "***@example.com"), ("élise@example.com", "é***@example.com"), ("agnes", "***")]
    {
        let page = seen(address).page(Language::English, &Showing::new("CRM"));
        assert!(page.text.contains(&format!("is for {shown}, and")), "{}", page.text);
    }
}

#[test]
fn a_page_names_what_is_missing_and_whom_to_ask() {
    let showing = Showing::new("CRM\n").support(" help@example.com ");
    let seen = Seen::ScopeUnticked { features: vec![Feature::WorkingHours, Feature::ReadEvents] };
    let page = seen.page(Language::Dutch, &showing);
    assert!(page.text.contains(
        "om: de afspraken in uw agenda's te bekijken; uw werktijden en uw tijdzone te bekijken. Probeer"
    ));
    assert!(page.text.ends_with(" Vragen: help@example.com"), "{}", page.text);
    assert!(!Seen::Connected.page(Language::Dutch, &showing).text.contains("help@"));
    let page = Seen::ScopeUnticked { features: vec![] }.page(Language::English, &showing);
    assert!(page.text.contains("to: see and change the events"), "{}", page.text);
}
