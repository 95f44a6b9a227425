//! What the history says of connections, settings and checks (S20): each once, without a secret, also where a process dies.

use super::engine::engine;
use super::office::{
    AMY, BOB, CLIENT, OTHER_CLIENT, Office, REDIRECT, SESSION, clean, manual_clock, web_client,
};
use async_trait::async_trait;
use calsync_core::Binding;
use calsync_core::audit::{AuditEvent, Audited};
use calsync_core::binding::Direction;
use calsync_core::check::Outcome;
use calsync_core::engine::HistoryEntry;
use calsync_core::provider::{Effort, Target};
use calsync_core::store::MemoryStore;
use calsync_google::OAuthClientFile;
use calsync_google::connect::{Consent, Method};
use calsync_google::scope::Feature;
use calsync_testkit::fake_google::Choice;
use calsync_testkit::tapped_store::{Tap, TappedStore};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// The process may die before and after each call of the store.
#[derive(Debug)]
struct Turns;

#[async_trait]
impl Tap for Turns {
    async fn before(&self, _: &'static str) -> calsync_core::Result<()> {
        tokio::task::yield_now().await;
        Ok(())
    }

    async fn after(&self, _: &'static str) -> calsync_core::Result<()> {
        tokio::task::yield_now().await;
        Ok(())
    }
}

async fn told(office: &Office) -> Vec<AuditEvent> {
    let mut events = office.store.audit(&office.tenant, None, None, 100).await.unwrap();
    events.reverse();
    events
}

fn words(events: &[AuditEvent]) -> Vec<String> {
    events.iter().map(|event| format!("{} {}", event.what, event.about)).collect()
}

#[tokio::test]
pub(crate) async fn s20_every_act_is_told_once_with_what_changed_and_without_a_secret() {
    let office = Office::new().await;
    let effort = Effort::default();
    office.connections.set_method(&office.tenant, &Method::PerUser).await.unwrap();
    office.connected(AMY).await;
    // Again, with more.
    let more = Consent::in_session(SESSION).of(AMY).features([Feature::WriteEvents, Feature::WorkingHours]);
    office.consents(more, &Choice::of(AMY)).await;
    // Google ends the grant; five workers find that out.
    office.fake().user_disconnects(CLIENT, AMY);
    office.clock.advance(Duration::from_secs(4000));
    let target = Target { calendar: AMY.into(), subject: AMY.to_owned() };
    for seed in 50..55 {
        let provider = office.worker(seed).build().unwrap().providers()(&office.tenant).unwrap();
        provider.calendar(&target, &effort).await.unwrap_err();
    }
    office.connected(BOB).await;
    office.connections.set_client(&office.tenant, &web_client(OTHER_CLIENT, &[REDIRECT])).await.unwrap();
    for _ in 0..2 {
        office.connections.disconnect(&office.tenant, BOB, &effort).await.unwrap();
    }
    office.connections.remove_client(&office.tenant).await.unwrap();
    for _ in 0..2 {
        office.connections.disconnect_tenant(&office.tenant, &effort).await.unwrap();
    }
    let events = told(&office).await;
    let wanted = [
        format!("credential_changed {CLIENT}"),
        "method_changed google".to_owned(),
        format!("connected {AMY}"),
        format!("connected {AMY}"),
        format!("scope_changed {AMY}"),
        format!("refresh_failed {AMY}"),
        format!("connected {BOB}"),
        format!("credential_changed {OTHER_CLIENT}"),
        format!("disconnected {BOB}"),
        format!("credential_changed {OTHER_CLIENT}"),
        format!("disconnected {AMY}"),
        "disconnected ".to_owned(),
    ];
    assert_eq!(words(&events), wanted);
    assert_ne!(events[4].facts["before"], events[4].facts["now"]);
    assert_eq!(events[5].facts["causes"][0], "revoked");
    assert_eq!(events[7].facts, json!({"before": CLIENT, "grants_lost": 1}));
    clean(&serde_json::to_string(&events).unwrap());
}

#[tokio::test]
async fn s20_a_connection_is_told_if_and_only_if_it_is_there_wherever_the_process_dies() {
    let (mut there, mut not) = (0, 0);
    let effort = Effort::default();
    for polls in 0..60 {
        let clock = manual_clock();
        let inner = MemoryStore::new(clock.clone(), "installation".into());
        let office = Office::over(Arc::new(TappedStore { inner, tap: Turns }), clock);
        office.connections.set_client(&office.tenant, &web_client(CLIENT, &[REDIRECT])).await.unwrap();
        let page = office.begin(Consent::in_session(SESSION).of(AMY)).await;
        let landing = office.opens(&page, &Choice::of(AMY));
        let finish = office.connections.finish(landing.url().unwrap(), SESSION, &effort);
        super::races::die_after(async { finish.await.map(drop) }, polls).await;
        let connected = office.connections.grant(&office.tenant, AMY).await.unwrap().is_some();
        let events = office.store.audit(&office.tenant, Some(Audited::Connected), None, 9).await.unwrap();
        assert_eq!(events.len(), usize::from(connected), "{polls}");
        *(if connected { &mut there } else { &mut not }) += 1;
    }
    assert!(there > 5 && not > 2, "{there} {not}");
}

#[tokio::test]
async fn s20_what_is_confirmed_exported_and_let_into_scope_is_told_without_a_title() {
    let office = Office::new().await;
    office.connected(AMY).await;
    let engine = engine(&office);
    let new = Binding::two_way(AMY)
        .to("google", AMY)
        .deletions_max(calsync_core::limits::Allowance { count: 1, percent: 1 });
    let binding = engine.bind(new).await.unwrap();
    let crm = engine.appointments().unwrap();
    let mut records = Vec::new();
    for n in 0..3 {
        records.push(crm.create(AMY, &super::engine::visit(&format!("Title neversay {n}"))).await.unwrap());
    }
    engine.run(&binding).await.unwrap();
    for record in &records {
        crm.delete(&record.id).await.unwrap();
    }
    office.clock.advance(Duration::from_secs(60));
    let report = engine.run(&binding).await.unwrap();
    engine.confirm(&binding, &report.held[0]).await.unwrap();
    engine.confirm(&binding, &report.held[0]).await.unwrap_err();
    let plan = engine.plan(&binding).await.unwrap();
    plan.export(&mut Vec::new()).await.unwrap();
    let binding = engine.redirect(&binding, Direction::FromRemote).await.unwrap();
    let binding = engine.pause(&binding).await.unwrap();
    engine.unbind(&binding).await.unwrap();
    let events = told(&office).await.split_off(2);
    let id = &binding.id;
    let wanted = [
        format!("confirmed {id}"),
        format!("exported {}", plan.id),
        format!("scope_changed {id}"),
        format!("disconnected {id}"),
    ];
    assert_eq!(words(&events), wanted);
    assert_eq!(events[0].facts["count"], 3);
    assert_eq!(events[2].facts["now"]["direction"], "from_remote");
    clean(&serde_json::to_string(&events).unwrap());
}

#[tokio::test]
async fn the_result_of_a_check_is_a_line_of_the_history_and_nothing_of_the_settings_is_kept() {
    let office = Office::unconfigured();
    let engine = engine(&office);
    let effort = Effort::default();
    // Nothing is saved: the check says so and what to do.
    let check = office.connections.check(&office.tenant, AMY).await.unwrap();
    let report = check.run(&effort).await;
    let file = report.step("file").unwrap();
    assert_eq!(file.outcome, Outcome::Fail);
    assert!(file.cure.as_ref().unwrap().text.contains("upload"), "{report}");
    engine.keep_check("before the start", &report).await.unwrap();
    // Saved, and nobody connected.
    office.connections.set_client(&office.tenant, &web_client(CLIENT, &[REDIRECT])).await.unwrap();
    let report = office.connections.check(&office.tenant, AMY).await.unwrap().run(&effort).await;
    assert!(report.passed() && report.step("account").unwrap().outcome == Outcome::Skipped, "{report}");
    // Connected, with a server that gives a new refresh token each time: a check costs no grant.
    office.fake().behaviour_mut().rotate_refresh_tokens = true;
    office.connected(AMY).await;
    for _ in 0..3 {
        office.clock.advance(Duration::from_secs(3600));
        let report =
            office.connections.check(&office.tenant, "Amy@example.com").await.unwrap().run(&effort).await;
        assert!(report.passed(), "{report}");
        for step in ["account", "scopes", "calendar", "role", "agent"] {
            assert_eq!(report.step(step).unwrap().outcome, Outcome::Pass, "{step}: {report}");
        }
        engine.keep_check(AMY, &report).await.unwrap();
    }
    // Its grant is gone.
    office.fake().user_disconnects(CLIENT, AMY);
    office.clock.advance(Duration::from_secs(3600));
    let report =
        office.connections.check(&office.tenant, AMY).await.unwrap().enabled(true).run(&effort).await;
    let account = report.step("account").unwrap();
    assert!(
        account.outcome == Outcome::Fail && account.cure.as_ref().unwrap().text.contains("connect again"),
        "{report}"
    );
    engine.keep_check(AMY, &report).await.unwrap();

    let checks = engine.checks(9).await.unwrap();
    let about: Vec<&str> = checks.iter().map(|(about, _)| about.as_str()).collect();
    assert_eq!(about, [AMY, AMY, AMY, AMY, "before the start"]);
    assert_eq!(checks[0].1.step("account").unwrap().cause, account.cause);
    // Beside the runs.
    let binding = engine.bind(Binding::two_way(AMY).to("google", AMY)).await.unwrap();
    office.clock.advance(Duration::from_secs(60));
    engine.run(&binding).await.unwrap_err();
    let history = engine.history(3).await.unwrap();
    assert!(matches!(&history[0], HistoryEntry::Run(run) if run.binding == binding.id), "{history:?}");
    assert!(
        matches!(&history[1], HistoryEntry::Event(event) if event.what == Audited::Checked),
        "{history:?}"
    );
    assert_eq!(history.len(), 3);
    clean(&format!("{history:?}{checks:?}"));
    let before = office.now();
    assert!(engine.forget_audit(before).await.unwrap() > 5);
    assert!(engine.checks(9).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_service_account_and_a_shared_account_are_checked_as_they_are_saved() {
    let office = Office::new().await;
    let effort = Effort::default();
    office.connections.set_method(&office.tenant, &Method::ServiceAccount { delegated: true }).await.unwrap();
    let report = office.connections.check(&office.tenant, AMY).await.unwrap().run(&effort).await;
    assert!(report.step("file").unwrap().cure.as_ref().unwrap().text.contains("JSON key"), "{report}");
    office.connected(BOB).await;
    office.fake().share(AMY, BOB, calsync_testkit::fake_google::Role::Writer);
    let method = Method::SharedAccount { account: BOB.to_owned() };
    office.connections.set_method(&office.tenant, &method).await.unwrap();
    let report = office.connections.check(&office.tenant, AMY).await.unwrap().run(&effort).await;
    assert!(report.passed(), "{report}");
    assert_eq!(report.step("role").unwrap().outcome, Outcome::Pass, "{report}");
}

#[tokio::test]
async fn an_oauth_client_is_given_as_id_secret_and_redirect_uri_and_held_to_the_same_rules() {
    let office = Office::unconfigured();
    let secret = || calsync_core::Secret::new("GOCSPX-neversay");
    let file = OAuthClientFile::web(CLIENT, secret(), [REDIRECT]).unwrap();
    office.connections.set_client(&office.tenant, &file).await.unwrap();
    office.connected(AMY).await;
    let error = OAuthClientFile::web("amy@example.com", secret(), [REDIRECT]).unwrap_err();
    assert!(error.to_string().contains("client_id"), "{error}");
    let error = OAuthClientFile::desktop(CLIENT, calsync_core::Secret::new(" ")).unwrap_err();
    assert!(error.to_string().contains("client_secret"), "{error}");
    clean(&format!("{error} {error:?}"));
}
