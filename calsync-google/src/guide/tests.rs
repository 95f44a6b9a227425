use super::*;
use crate::Feature;
use std::collections::{BTreeMap, BTreeSet};

fn all_values() -> Values {
    Values::default()
        .features([Feature::WriteEvents, Feature::WorkingHours, Feature::Rooms])
        .redirect_uri("https://crm.example.com/index.php?entryPoint=saveGoogleApiKey&x=1")
        .service_account_id("104729104729104729104")
        .service_account_email("sync@crm-1.iam.gserviceaccount.com")
        .shared_account("office@example.com")
        .support("help@example.com")
        .domain("example.com")
        .app_name("Anna's CRM_2")
}

fn traps_of(way: Way) -> BTreeSet<Trap> {
    Guide::for_way(way, &all_values()).traps().collect()
}

#[test]
fn each_trap_is_told_in_the_ways_in_which_it_bites_and_in_no_other() {
    use Trap::*;
    let project = [SameProject, RoomsApart];
    let account = [KeyOnce, KeysForbidden, NoRole];
    let consent =
        [SecretOnce, TestUsers, SevenDays, Verification, Internal, AppsBlocked, HundredTokens, Unticked];
    let web = [RedirectExact, HttpLoopback];
    let expected: BTreeMap<Way, Vec<Trap>> = [
        (
            Way::Delegation,
            [&project[..], &account, &[NumericId, Commas, AllOrNothing, DayToTakeEffect, NoGmailDelegation]]
                .concat(),
        ),
        (
            Way::SharedCalendars,
            [&project[..], &account, &[NoInvitations, MakeChanges, ExternalSharing]].concat(),
        ),
        (Way::SharedAccount, [&project[..], &consent, &web, &[MakeChanges, ExternalSharing]].concat()),
        (Way::ConsentWeb, [&project[..], &consent, &web].concat()),
        (Way::ConsentDesktop, [&project[..], &consent, &[DesktopNoRedirect, DesktopSameMachine]].concat()),
    ]
    .into();
    for way in Way::ALL {
        assert_eq!(traps_of(way), expected[&way].iter().copied().collect(), "{way:?}");
    }
    let told: BTreeSet<Trap> = Way::ALL.into_iter().flat_map(traps_of).collect();
    assert_eq!(told, Trap::ALL.into_iter().collect(), "a trap that is told nowhere");
}

#[test]
fn a_trap_stands_at_the_step_where_it_bites() {
    for (way, trap, place) in [
        (Way::Delegation, Trap::NumericId, "Manage domain wide delegation"),
        (Way::Delegation, Trap::NoRole, "Create service account"),
        (Way::Delegation, Trap::SameProject, "Library"),
        (Way::SharedCalendars, Trap::KeyOnce, "Create new key"),
        (Way::SharedCalendars, Trap::MakeChanges, "Share with specific people"),
        (Way::SharedAccount, Trap::ExternalSharing, "Share with specific people"),
        (Way::ConsentWeb, Trap::SevenDays, "Audience"),
        (Way::ConsentWeb, Trap::RedirectExact, "Create client"),
        (Way::ConsentWeb, Trap::SecretOnce, "Create client"),
        (Way::ConsentDesktop, Trap::DesktopSameMachine, "Create client"),
    ] {
        let guide = Guide::for_way(way, &all_values());
        let mut at = guide.steps.iter().filter(|step| step.traps.contains(&trap));
        assert!(at.next().is_some_and(|step| step.place.contains(place)), "{way:?} {trap:?}");
        assert!(at.next().is_none(), "{way:?} tells {trap:?} twice");
    }
}

#[test]
fn a_trap_says_the_word_by_which_it_is_recognised() {
    for (trap, words) in [
        (Trap::SecretOnce, &["now", "only once"][..]),
        (Trap::TestUsers, &["100"]),
        (Trap::SevenDays, &["7 days"]),
        (Trap::Verification, &["verify", "hasn't verified"]),
        (Trap::Internal, &["no test users", "no 7 days"]),
        (Trap::NumericId, &["number", "not the e-mail address"]),
        (Trap::Commas, &["commas"]),
        (Trap::DayToTakeEffect, &["24 hours"]),
        (Trap::NoRole, &["Service Account Token Creator", "not needed"]),
        (Trap::NoGmailDelegation, &["@gmail.com"]),
        (Trap::NoInvitations, &["nobody can be invited", "forbiddenForServiceAccounts"]),
        (Trap::MakeChanges, &["Make changes to events"]),
        (Trap::ExternalSharing, &["free Workspace"]),
        (Trap::HundredTokens, &["100", "oldest"]),
        (Trap::DesktopNoRedirect, &["no redirect URI"]),
        (Trap::DesktopSameMachine, &["another machine", "invitations"]),
        (Trap::RedirectExact, &["byte for byte", "slash at the end", "index.php?entryPoint=…"]),
        (Trap::HttpLoopback, &["http is accepted only", "127.0.0.1"]),
        (Trap::SameProject, &["project"]),
    ] {
        for word in words {
            assert!(trap.text().contains(word), "{trap:?} does not say {word:?}");
        }
    }
}

#[test]
fn every_known_value_is_shown_as_it_is_in_text_and_in_markdown() {
    let scopes = |way| all_values().scopes(way);
    for (way, values) in [
        (
            Way::Delegation,
            vec![
                "104729104729104729104".to_owned(),
                "example.com".into(),
                scopes(Way::Delegation).with_commas(),
            ],
        ),
        (Way::SharedCalendars, vec!["sync@crm-1.iam.gserviceaccount.com".into()]),
        (
            Way::SharedAccount,
            vec![
                "https://crm.example.com/index.php?entryPoint=saveGoogleApiKey&x=1".into(),
                "office@example.com".into(),
            ],
        ),
        (
            Way::ConsentWeb,
            vec![
                "https://crm.example.com/index.php?entryPoint=saveGoogleApiKey&x=1".into(),
                "Anna's CRM_2".into(),
            ],
        ),
        (Way::ConsentDesktop, scopes(Way::ConsentDesktop).iter().map(str::to_owned).collect()),
    ] {
        let guide = Guide::for_way(way, &all_values());
        for value in values.iter().map(String::as_str).chain(["help@example.com", "Anna's CRM_2"]) {
            assert!(guide.to_string().contains(value), "{way:?}: {value}");
            assert!(guide.to_markdown().contains(&format!("`{value}`")), "{way:?}: {value}");
        }
    }
}

#[test]
fn what_is_not_known_is_a_placeholder_and_what_is_known_is_none() {
    for way in Way::ALL {
        let guide = Guide::for_way(way, &all_values());
        let (text, markdown) = (guide.to_string(), guide.to_markdown());
        assert!(guide.is_complete() && !text.contains('«') && !markdown.contains('«'), "{text}");
        let guide = Guide::for_way(way, &Values::default().app_name(" \n"));
        assert!(!guide.is_complete());
        for text in [guide.to_string(), guide.to_markdown()] {
            assert!(text.contains("«the name of your CRM"), "{text}");
            assert!(!text.contains("Questions:"));
        }
    }
    let text = Guide::for_way(Way::Delegation, &Values::default()).to_string();
    assert!(text.contains("Client ID: «the service account's numeric Unique ID"), "{text}");
    let text = Guide::for_way(Way::ConsentWeb, &Values::default()).to_string();
    assert!(text.contains("Authorized redirect URIs: «the redirect URI"), "{text}");
}

#[test]
fn markdown_escapes_what_a_value_could_open() {
    let values = all_values().app_name("a|b<script>c`d\\").redirect_uri("https://x/\n# heading");
    let guide = Guide::for_way(Way::ConsentWeb, &values);
    let (text, markdown) = (guide.to_string(), guide.to_markdown());
    assert!(text.contains("App name: a|b<script>c`d\\\n"), "{text}");
    assert!(markdown.contains(r"App name: a\|b&lt;script&gt;c\`d\\"), "{markdown}");
    assert!(!markdown.contains("<script") && !markdown.contains("a|b") && !markdown.contains("c`d"));
    assert!(!markdown.contains("\n# heading") && !text.contains("\n# heading"));
    for (value, escaped) in [("a|b", r"a\|b"), ("a<b", "a&lt;b"), ("a`b", r"a\`b"), ("a*b_c&d", "`a*b_c&d`")]
    {
        let markdown = Guide::for_way(Way::ConsentWeb, &all_values().app_name(value)).to_markdown();
        assert!(markdown.contains(&format!("App name: {escaped}\n")), "{value}: {markdown}");
    }
}

#[test]
fn no_text_of_ours_has_a_character_that_markdown_reads() {
    let mut ours: Vec<&str> = Trap::ALL.iter().map(|trap| trap.text()).collect();
    for way in Way::ALL {
        ours.extend([way.title(), way.about()]);
        let guide = Guide::for_way(way, &Values::default());
        for step in guide.steps {
            ours.extend([step.place, step.what]);
            for paste in step.paste {
                ours.push(paste.label);
                if let Pasted::Unknown(what) = paste.value {
                    ours.push(what);
                }
            }
        }
    }
    for text in ours {
        assert!(!text.contains(['|', '<', '`', '*', '[', '\n']), "{text}");
        assert!(!text.contains("  "), "{text}");
    }
}

#[test]
fn the_scopes_of_a_guide_are_the_least_for_what_is_chosen() {
    let auth = |short: &str| format!("https://www.googleapis.com/auth/{short}");
    let least = Values::default().scopes(Way::Delegation);
    assert_eq!(least.to_string(), crate::SCOPE_EVENTS, "what a connection asks for by default");
    let text = Guide::for_way(Way::Delegation, &all_values()).to_string();
    let (rooms, hours) =
        (auth("admin.directory.resource.calendar.readonly"), auth("calendar.calendars.readonly"));
    assert!(
        text.contains(&format!(
            "OAuth scopes (comma-delimited): {rooms},{hours},{}\n",
            auth("calendar.events")
        )),
        "{text}"
    );
    for way in Way::ALL {
        let scopes = Values::default().features([Feature::Identity, Feature::ReadEvents]).scopes(way);
        assert_eq!(scopes.covers(Feature::Identity), way.asks_for_consent(), "{way:?}");
        assert!(scopes.covers(Feature::ReadEvents) && !scopes.covers(Feature::WriteEvents), "{way:?}");
    }
    let without = Values::default().features([Feature::WriteEvents]);
    assert!(!Guide::for_way(Way::Delegation, &without).traps().any(|trap| trap == Trap::RoomsApart));
}

#[test]
fn each_replaced_system_leads_to_a_way_and_says_what_is_different() {
    for (name, way, better, said) in [
        ("halo-service-account", Way::Delegation, None, "Service Account Token Creator"),
        ("halo-deprecated", Way::SharedAccount, Some(Way::Delegation), "haloservicedesk"),
        ("callpro", Way::ConsentDesktop, Some(Way::ConsentWeb), "desktop client"),
        ("suitecrm", Way::ConsentWeb, None, "entryPoint"),
    ] {
        assert_eq!(Way::of_guide(name), Some(way));
        let replaced = Replaced::of_guide(name).expect("a system");
        assert_eq!((replaced.name, replaced.better), (name, better));
        assert!(replaced.notes.iter().any(|note| note.contains(said)), "{name}");
    }
    assert_eq!(Way::of_guide("outlook"), None);
    assert_eq!(Replaced::ALL.len(), 4);
}

#[test]
fn a_calendar_that_is_only_read_is_not_shared_for_changes() {
    let shared = |values: Values| Guide::for_way(Way::SharedCalendars, &values).to_string();
    assert!(shared(Values::default()).contains("Permissions: Make changes to events\n"));
    assert!(
        shared(Values::default().features([Feature::WriteEvents]))
            .contains("Permissions: Make changes to events\n")
    );
    let reading = shared(Values::default().features([Feature::ReadEvents]));
    assert!(reading.contains("Permissions: See all event details\n"), "{reading}");
    assert!(!reading.contains("every write is refused"), "{reading}");
}

#[test]
fn a_key_brings_its_number_and_its_address_and_nothing_secret() {
    let pem = include_str!("../../../tests/data/keys/throwaway_service_account.pem");
    let mut key = serde_json::json!({"type": "service_account", "private_key": pem,
        "client_email": "sync@crm-1.iam.gserviceaccount.com", "client_id": "104729104729104729104"});
    let values = |key: &serde_json::Value| {
        Values::default().of_key(&crate::ServiceAccountKey::from_json(&key.to_string()).expect("a key"))
    };
    let guide = Guide::for_way(Way::Delegation, &values(&key)).to_string();
    assert!(guide.contains("Client ID: 104729104729104729104\n"), "{guide}");
    let guide = Guide::for_way(Way::SharedCalendars, &values(&key)).to_string();
    assert!(guide.contains("Add people: sync@crm-1.iam.gserviceaccount.com\n"), "{guide}");
    // An address in the place of the number is no number, and would be refused a day later.
    key["client_id"] = "sync@crm-1.iam.gserviceaccount.com".into();
    let guide = Guide::for_way(Way::Delegation, &values(&key)).to_string();
    assert!(guide.contains("Client ID: «the service account's numeric"), "{guide}");
    let middle = pem.lines().nth(1).expect("a line");
    assert!(!format!("{:?}", values(&key)).contains(middle));
}
