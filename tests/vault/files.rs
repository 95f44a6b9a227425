//! Keys in files and variables, and sealed rows in a SQLite file.

use super::*;
use calsync_core::ErrorKind;
use calsync_core::vault::{KeyEnv, KeyFile, KeyProvider, generate};
use calsync_sqlite::SqliteStore;
use std::process::Command;

const VARIABLE: &str = "CALSYNC_TEST_MASTER_KEY";

#[tokio::test]
async fn s08_a_key_file_is_read_anew_and_an_older_one_opens() {
    let directory = tempfile::tempdir().unwrap();
    let (new, old) = (directory.path().join("new.key"), directory.path().join("old.key"));
    let keys = KeyFile::new(&new).older(&old);
    let missing = keys.current().await.expect_err("there is no file");
    let text = missing.to_string();
    assert_eq!(missing.kind(), ErrorKind::Config);
    assert!(text.contains("new.key") && text.contains("openssl rand -base64 32"), "{text}");
    let (first, second) = (generate(&*entropy()), generate(&*entropy()));
    std::fs::write(&new, first.text.reveal()).unwrap();
    std::fs::write(&old, format!("{}\n", second.text.reveal())).unwrap();
    assert_eq!(keys.current().await.unwrap().id(), first.key.id());
    assert_eq!(keys.key(second.key.id()).await.unwrap().expect("the older one").id(), second.key.id());
    assert!(keys.key(key(1).id()).await.unwrap().is_none());
    std::fs::write(&new, second.text.reveal()).unwrap();
    assert_eq!(keys.current().await.unwrap().id(), second.key.id(), "without a restart");
    std::fs::write(&new, "hunter2-neversay").unwrap();
    let text = keys.current().await.expect_err("that is a passphrase").to_string();
    assert!(text.contains("16 characters of text") && text.contains("new.key"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
    assert!(keys.key(second.key.id()).await.unwrap().is_some(), "the other file is good");
    keys.key(first.key.id()).await.expect_err("it may be the one in the file that cannot be read");
}

#[tokio::test]
async fn s08_a_key_in_a_variable_is_read_and_a_missing_one_is_named() {
    if let Ok(expected) = std::env::var("CALSYNC_TEST_MASTER_KEY_ID") {
        assert_eq!(KeyEnv::new(VARIABLE).current().await.unwrap().id().as_str(), expected);
        let older = KeyEnv::new("CALSYNC_TEST_UNSET").older(VARIABLE);
        let id = KeyEnv::new(VARIABLE).current().await.unwrap().id().clone();
        assert!(older.key(&id).await.unwrap().is_some());
        return;
    }
    let error = KeyEnv::new("CALSYNC_TEST_UNSET").current().await.expect_err("it is not set");
    assert!(error.to_string().contains("variable CALSYNC_TEST_UNSET"), "{error}");
    let new = generate(&*entropy());
    let again = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "files::s08_a_key_in_a_variable_is_read_and_a_missing_one_is_named"])
        .env(VARIABLE, new.text.reveal())
        .env("CALSYNC_TEST_MASTER_KEY_ID", new.key.id().as_str())
        .output();
    let again = again.unwrap();
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stdout));
}

#[tokio::test]
async fn s08_a_database_file_does_not_hold_a_secret_and_rotates_as_any_store() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("crm.db");
    let canary = "in a file";
    {
        let store = Arc::new(SqliteStore::open(&path).await.unwrap());
        let keys = KeyBytes::new(key(2)).older(key(1));
        let old = Vault::new(store.clone(), Arc::new(KeyBytes::new(key(1))), entropy());
        assert!(put(&old, "acme", "amy", canary, None).await.unwrap());
        let vault = Vault::new(store.clone(), Arc::new(keys), entropy());
        assert_eq!(vault.rotate_master(false).await.unwrap().rows_done, 1);
        assert_eq!(vault.rotate_data(&"acme".into(), false).await.unwrap().rows_done, 1);
        let new = Vault::new(store.clone(), Arc::new(KeyBytes::new(key(2))), entropy());
        assert_eq!(got(&new, "acme", "amy").await.unwrap(), canary);
    }
    for file in std::fs::read_dir(directory.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(
            !bytes.windows(canary.len()).any(|part| part == canary.as_bytes()),
            "the file holds the secret"
        );
    }
}
