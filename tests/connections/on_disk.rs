//! The whole way over a database file, with several processes at it, and what the file has of it.

use super::office::{AMY, CLIENT, Office, REDIRECT, SESSION, manual_clock, web_client};
use calsync_core::plan::Action;
use calsync_core::provider::Effort;
use calsync_core::store::Store;
use calsync_core::{Binding, Engine};
use calsync_google::connect::{Configuration, Invite, Opening, Outcome};
use calsync_sqlite::SqliteStore;
use calsync_testkit::fake_google::Choice;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

async fn open(path: &Path, clock: &Arc<super::office::PatientClock>) -> Arc<dyn Store> {
    Arc::new(SqliteStore::builder(path).clock(clock.clone()).open().await.unwrap())
}

#[tokio::test]
async fn s08_an_agent_is_invited_connects_and_is_synchronised_and_the_file_has_no_secret_in_the_clear() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("crm.db");
    let clock = manual_clock();
    let office = Office::over(open(&path, &clock).await, clock.clone());
    office.fake().behaviour_mut().rotate_refresh_tokens = true;
    office.connections.set_client(&office.tenant, &web_client(CLIENT, &[REDIRECT])).await.unwrap();
    let invited = office.connections.invite(&office.tenant, &Invite::agent("agent-7", AMY)).await.unwrap();
    let opening = office.connections.open_invitation(invited.token.reveal(), SESSION).await.unwrap();
    let Opening::Page(page) = opening else { panic!("{opening:?}") };
    let landing = office.opens(&page, &Choice::of(AMY));
    let Outcome::Connected(connected) = office.comes_back(&landing).await else { panic!("{landing:?}") };
    assert_eq!(connected.account, AMY);

    // Other processes, each with the file opened by itself: they find the grant, and renew it one after the other.
    for n in 0..3 {
        clock.advance(Duration::from_secs(3600));
        let store = open(&path, &clock).await;
        let connections = office.worker_over(store.clone(), 30 + n).build().unwrap();
        let engine = Engine::builder_shared(store)
            .provider_per_tenant("google", connections.providers())
            .tenant(office.tenant.clone())
            .clock(clock.clone())
            .build()
            .unwrap();
        let binding = match engine.bindings().await.unwrap().pop() {
            Some(binding) => binding,
            None => engine.bind(Binding::two_way(AMY).to("google", AMY)).await.unwrap(),
        };
        engine
            .appointments()
            .unwrap()
            .create(AMY, &super::engine::visit(&format!("Visit {n}")))
            .await
            .unwrap();
        assert_eq!(engine.run(&binding).await.unwrap().count(Action::CreateRemote), 1);
    }
    assert_eq!(
        office.connections.configuration(&office.tenant).await.unwrap(),
        Configuration::Authorised { grants: 1 }
    );

    // Nothing of a token, a client's secret, a state, a session or a link is in the files.
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        for secret in [
            "1//0neversay",
            "ya29.neversay",
            "4/0neversay",
            "GOCSPX-neversay",
            SESSION,
            invited.token.reveal(),
        ] {
            assert!(!text.contains(secret), "{secret}");
        }
    }
    let gone = office.connections.disconnect_tenant(&office.tenant, &Effort::default()).await.unwrap();
    assert_eq!(gone.len(), 1);
}
