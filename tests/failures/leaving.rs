//! A binding is taken apart, and what calsync made in the calendar goes with it.

use super::desk::{AMY, BOB, Desk, EVE, ROBOT, Setup, Way, guests, hour, key, visit, with};
use calsync_core::ErrorKind;
use calsync_core::audit::Audited;
use calsync_core::binding::{Binding, Direction};
use calsync_core::engine::Made;
use calsync_core::model::{Attendee, Recurrence, Visibility};
use calsync_core::plan::Action;
use calsync_core::provider::Mail;
use calsync_core::report::Listed;
use calsync_google::Google;
use calsync_testkit::fake_google::Role;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What the CRM made: two visits (one of them private), a series with a changed occurrence and a meeting with a guest; what Amy made: an
/// event that the CRM has too by now, and an invitation.
async fn in_use(setup: Setup) -> Desk {
    let desk = setup.desk().await;
    desk.enter(hour("own", 4));
    let invitation = with(hour("theirs", 5), json!({"attendees": [{"email": BOB}, {"email": AMY}]}));
    desk.user(|fake, now| fake.user_insert(now, BOB, &invitation)).unwrap();
    desk.create(&visit("Visit", "2026-12-01T09:00:00")).await;
    let mut secret = visit("Surgery", "2026-12-01T13:00:00");
    secret.visibility = Visibility::Private;
    desk.create(&secret).await;
    let mut weekly = visit("Weekly", "2026-12-02T09:00:00");
    weekly.recurrence = Recurrence::new(vec!["RRULE:FREQ=WEEKLY;COUNT=4".into()]);
    let series = desk.create(&weekly).await;
    let mut meeting = visit("Meeting", "2026-12-03T09:00:00");
    meeting.attendees.insert(EVE.into(), Attendee::default());
    desk.create(&meeting).await;
    desk.run().await;
    let second = desk.shown().await.into_iter();
    let second = second.filter(|shown| shown.appointment.summary.as_deref() == Some("Weekly")).nth(1);
    let slot = second.unwrap().occurrence.unwrap().slot;
    desk.crm.edit_occurrence(&series, slot, |a| a.summary = Some("Once at dock 4".into())).await.unwrap();
    desk.run().await;
    desk.settled().await;
    desk
}

fn titles(desk: &Desk) -> Vec<String> {
    let living = desk.living();
    let mut titles: Vec<String> =
        living.iter().map(|event| event["summary"].as_str().unwrap_or_default().to_owned()).collect();
    titles.sort();
    titles
}

async fn made(desk: &Desk) -> Made {
    desk.engine.made(&desk.binding).await.unwrap()
}

#[tokio::test]
pub(crate) async fn c07_what_calsync_made_is_deleted_the_rest_stays_and_bound_again_nothing_is_there_twice() {
    // Mail is on: even so nobody hears of this.
    let desk = in_use(Setup::default().binding(|new| new.mail(Mail::Guests))).await;
    let (mails, crm, writes) = (desk.mails(), desk.titles().await, desk.writes());
    assert_eq!(titles(&desk), ["Meeting", "Once at dock 4", "Surgery", "Visit", "Weekly", "own", "theirs"]);
    assert!(guests(&desk.titled("Meeting")).contains(&EVE.to_owned()));
    let shown = made(&desk).await;
    assert_eq!((shown.made, shown.others, shown.titles.len()), (4, 2, 4), "{shown:?}");
    assert!(shown.titles.contains(&None) && shown.titles.contains(&Some("Weekly".into())), "{shown:?}");
    assert_eq!(desk.writes(), writes);

    let unbound = desk.engine.unbind_deleting(&desk.binding, &shown).await.unwrap();
    assert_eq!((unbound.deleted, unbound.kept.len(), unbound.finished), (4, 0, true), "{unbound:?}");
    assert_eq!(titles(&desk), ["own", "theirs"]);
    assert_eq!(
        (desk.mails(), desk.titles().await),
        (mails, crm.clone()),
        "nobody is mailed, the CRM keeps all"
    );
    assert!(desk.engine.bindings().await.unwrap().is_empty());
    let journal = desk.engine.store().journal(desk.engine.tenant(), &desk.binding.id, None, 4).await.unwrap();
    assert!(
        journal.iter().all(|entry| entry.action == Action::DeleteRemote.as_str() && entry.before.is_some()),
        "{journal:?}"
    );
    let told = |what| desk.engine.audit(Some(what), None, 9);
    let confirmed = told(Audited::Confirmed).await.unwrap();
    assert_eq!((confirmed.len(), &confirmed[0].facts["count"]), (1, &json!(4)));
    let gone = told(Audited::Disconnected).await.unwrap();
    assert_eq!((gone.len(), &gone[0].facts["deleted"], &gone[0].facts["kept"]), (1, &json!(4), &json!(0)));

    // Bound again, each of them is there once, although its first id is taken for ever.
    let again = desk.engine.bind(Binding::two_way(AMY).to("google", AMY)).await.unwrap();
    for _ in 0..3 {
        desk.try_run_of(&again).await.unwrap();
    }
    assert_eq!(titles(&desk), ["Meeting", "Once at dock 4", "Surgery", "Visit", "Weekly", "own", "theirs"]);
    assert_eq!((desk.titles().await, desk.mails()), (crm, mails));
    assert!(!desk.try_run_of(&again).await.unwrap().wrote());
}

#[tokio::test]
pub(crate) async fn c09_more_than_was_agreed_to_is_not_deleted_and_nothing_else_is_either() {
    let desk = in_use(Setup::default()).await;
    let shown = made(&desk).await;
    desk.create(&visit("One more", "2026-12-08T09:00:00")).await;
    let before = titles(&desk);
    let refused = desk.engine.unbind_deleting(&desk.binding, &shown).await;
    assert!(refused.is_err(), "{refused:?}");
    let error = refused.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PreconditionFailed, "{error}");
    let mut with_it = before.clone();
    with_it.push("One more".into());
    with_it.sort();
    assert_eq!(titles(&desk), with_it, "it was brought into step, and nothing was deleted");
    desk.settled().await;
    // What was shown of another binding is no word about this one.
    let other = Made { binding: "another".into(), ..made(&desk).await };
    let error = desk.engine.unbind_deleting(&desk.binding, &other).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PreconditionFailed, "{error}");
    assert_eq!(titles(&desk), with_it);
    // That calsync may not write there is said before anything is done.
    let read_only = desk.engine.redirect(&desk.binding, Direction::FromRemote).await.unwrap();
    let error = desk.engine.unbind_deleting(&read_only, &made(&desk).await).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert_eq!(titles(&desk), with_it);
}

#[tokio::test]
pub(crate) async fn c02_what_is_edited_in_the_calendar_is_in_the_crm_or_stays_and_is_named() {
    let desk = in_use(Setup::default()).await;
    let visit = desk.titled("Visit")["id"].as_str().unwrap().to_owned();
    desk.retouch(&visit, json!({"location": "Dock 9"}));
    // In the very moment of its deletion somebody edits another one.
    let meeting = desk.titled("Meeting")["id"].as_str().unwrap().to_owned();
    let edited = meeting.clone();
    desk.before(move |request, fake| {
        if request.method() == "DELETE" && request.uri().path().ends_with(&edited) {
            let now = "2026-11-23T09:00:00Z".parse().unwrap();
            fake.user_patch(now, AMY, &edited, &json!({"location": "Dock 4"})).unwrap();
        }
        Way::Free
    });
    let unbound = desk.engine.unbind_deleting(&desk.binding, &made(&desk).await).await.unwrap();
    desk.undisturbed();
    assert_eq!((unbound.deleted, unbound.finished), (3, true), "{unbound:?}");
    assert_eq!(titles(&desk), ["Meeting", "own", "theirs"]);
    let [kept] = &unbound.kept[..] else { panic!("{unbound:?}") };
    assert_eq!(kept.event.as_str(), meeting);
    assert!(kept.why.contains("edited"), "{kept:?}");
    let record = desk.record("Visit").await;
    assert_eq!(desk.value(&record, "location").await, "Dock 9", "the earlier edit is in the CRM");
}

#[tokio::test]
pub(crate) async fn c10_what_is_marked_not_to_be_synchronised_stays_and_is_named() {
    let desk = in_use(Setup::default()).await;
    let record = desk.record("Visit").await;
    desk.crm.set_sync(&record, false).await.unwrap();
    let unbound = desk.engine.unbind_deleting(&desk.binding, &made(&desk).await).await.unwrap();
    assert_eq!(titles(&desk), ["Visit", "own", "theirs"]);
    assert_eq!((unbound.deleted, &unbound.kept[0].record), (3, &record), "{unbound:?}");
    assert!(unbound.kept[0].why.contains("not to be synchronised"), "{unbound:?}");
}

/// Wherever the process dies, another call ends it in the same way, and no run takes what was deleted for somebody's deletion.
#[tokio::test]
pub(crate) async fn c06_c04_a_call_that_dies_anywhere_is_gone_on_with_and_the_crm_loses_nothing() {
    for lost in [false, true] {
        for nth in 0..8 {
            let desk = in_use(Setup::default()).await;
            let (crm, shown) = (desk.titles().await, made(&desk).await);
            let seen = Arc::new(AtomicUsize::new(0));
            let (counter, fatal) = (seen.clone(), nth);
            desk.before(move |request, fake| {
                if request.method() == "GET" || counter.fetch_add(1, Ordering::Relaxed) != fatal {
                    return Way::Free;
                }
                if lost {
                    // It arrives, and nobody hears the answer.
                    let id = request.uri().path().rsplit('/').next().unwrap().to_owned();
                    let now = "2026-11-23T09:00:00Z".parse().unwrap();
                    fake.user_delete(now, AMY, &id).unwrap();
                }
                Way::Lost
            });
            let call = desk.engine.unbind_deleting(&desk.binding, &shown);
            let died = tokio::select! {
                biased;
                ended = call => { assert!(ended.unwrap().finished); false }
                () = std::future::ready(()) => true,
            };
            assert_eq!(died, seen.load(Ordering::Relaxed) > nth, "{nth}");
            desk.undisturbed();
            if !died {
                break;
            }
            desk.clock.advance(std::time::Duration::from_secs(600));
            // The scheduler goes on running it meanwhile, and somebody tries to resume it.
            let report = desk.try_run().await.unwrap();
            assert_eq!((report.listed, report.wrote()), (Listed::Nothing, false), "{report}");
            assert!(report.warnings[0].contains("taken apart"), "{report}");
            let error = desk.engine.resume(&desk.binding).await.unwrap_err();
            assert!(error.cure_text().unwrap().contains("unbind_deleting"), "{error}");
            assert!(desk.engine.plan(&desk.binding).await.is_err());
            let unbound = desk.engine.unbind_deleting(&desk.binding, &shown).await.unwrap();
            assert!(unbound.finished && unbound.kept.is_empty(), "{nth} {lost}: {unbound:?}");
            assert_eq!((titles(&desk), desk.titles().await), (vec!["own".into(), "theirs".into()], crm));
            assert_eq!(desk.engine.audit(Some(Audited::Confirmed), None, 9).await.unwrap().len(), 1);
            assert_eq!(desk.mails(), 0);
        }
    }
}

#[tokio::test]
async fn what_is_gone_already_is_gone_and_a_calendar_that_may_not_be_written_keeps_the_binding() {
    let desk = in_use(Setup::default()).await;
    let shown = made(&desk).await;
    // Purged from the bin in the meantime: Google knows nothing of it.
    let paused = desk.engine.pause(&desk.binding).await.unwrap();
    let visit = desk.titled("Visit")["id"].as_str().unwrap().to_owned();
    desk.remove(&visit);
    desk.user(|fake, _| fake.user_purge(AMY, &visit));
    // Nothing may be deleted: nothing is taken apart, whatever is said of each event.
    desk.user(|fake, _| fake.share(AMY, ROBOT, Role::Reader));
    let google = Google::service_account(key()).delegated(false);
    let reader = desk.another_engine(desk.engine.store().clone(), google, 9);
    let error = reader.unbind_deleting(&paused, &shown).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden, "{error}");
    assert_eq!(titles(&desk), ["Meeting", "Once at dock 4", "Surgery", "Weekly", "own", "theirs"]);
    assert!(desk.engine.bindings().await.unwrap()[0].leaving);
    let unbound = desk.engine.unbind_deleting(&paused, &shown).await.unwrap();
    assert_eq!((unbound.deleted, unbound.kept.len(), unbound.finished), (4, 0, true), "{unbound:?}");
    assert_eq!(titles(&desk), ["own", "theirs"]);
}

#[tokio::test]
async fn a_halt_and_a_failing_calendar_stop_it_and_it_goes_on_afterwards() {
    let desk = in_use(Setup::default()).await;
    let (before, shown) = (titles(&desk), made(&desk).await);
    desk.engine.halt("ann", "looking into it").await.unwrap();
    let error = desk.engine.unbind_deleting(&desk.binding, &shown).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Halted, "{error}");
    assert_eq!(titles(&desk), before);
    desk.engine.unhalt().await.unwrap();
    desk.settled().await;
    desk.refuse_writes(503);
    let error = desk.engine.unbind_deleting(&desk.binding, &shown).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.context().iter().any(|(name, _)| *name == "event"), "{error}");
    assert_eq!(titles(&desk), before);
    desk.undisturbed();
    desk.fake().clear_faults();
    let unbound = desk.engine.unbind_deleting(&desk.binding, &shown).await.unwrap();
    assert_eq!((unbound.deleted, unbound.finished), (4, true), "{unbound:?}");
    assert_eq!(titles(&desk), ["own", "theirs"]);
}

#[tokio::test]
async fn a_binding_on_its_way_out_can_still_be_taken_apart_as_it_is() {
    let desk = in_use(Setup::default()).await;
    let (before, shown) = (titles(&desk), made(&desk).await);
    desk.refuse_writes(503);
    desk.engine.unbind_deleting(&desk.binding, &shown).await.unwrap_err();
    desk.undisturbed();
    desk.fake().clear_faults();
    desk.engine.unbind(&desk.binding).await.unwrap();
    assert_eq!(titles(&desk), before);
    assert!(desk.engine.bindings().await.unwrap().is_empty());
}
