//! A store that cannot be written says so when it is opened.
//!
//! The superuser may write anything, so as that user the test runs itself again as another one.

#![cfg(unix)]
#![allow(clippy::expect_used, reason = "a test that cannot be set up has failed")]

use calsync_core::store::Store;
use calsync_core::{ErrorKind, Result};
use calsync_sqlite::SqliteStore;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

const DIRECTORY: &str = "CALSYNC_TEST_READ_ONLY_IN";

fn allow(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("permissions");
}

async fn check(directory: &Path) {
    for case in ["file", "directory", "nothing yet"] {
        let path = directory.join(case).join("crm.db");
        let before = std::fs::read(&path).ok();
        let opened: Result<SqliteStore> = SqliteStore::open(&path).await;
        let error = opened.expect_err(case);
        assert_eq!(error.kind(), ErrorKind::StoreReadOnly, "{case}: {error}");
        let text = error.to_string();
        assert!(text.contains(&format!("store {}", path.display())), "{case}: {text}");
        assert!(text.contains("Let this user write the file and its directory"), "{case}: {text}");
        assert_eq!(std::fs::read(&path).ok(), before, "{case}");
    }
}

#[tokio::test]
async fn a_store_that_cannot_be_written_says_so_and_what_to_do() {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        return check(Path::new(&directory)).await;
    }
    let directory = tempfile::tempdir().expect("a directory");
    for case in ["file", "directory", "nothing yet"] {
        let place = directory.path().join(case);
        std::fs::create_dir(&place).expect("a directory");
        if case != "nothing yet" {
            let store = SqliteStore::open(place.join("crm.db")).await.expect("made");
            store.installation().await.expect("written");
            drop(store);
            allow(&place.join("crm.db"), if case == "file" { 0o444 } else { 0o666 });
        }
        allow(&place, if case == "file" { 0o777 } else { 0o555 });
    }
    allow(directory.path(), 0o755);
    let privileged = std::fs::write(directory.path().join("nothing yet").join("probe"), "").is_ok();
    if privileged {
        std::fs::remove_file(directory.path().join("nothing yet").join("probe")).expect("removed");
        let program = directory.path().join("test");
        std::fs::copy(std::env::current_exe().expect("this program"), &program).expect("copied");
        allow(&program, 0o755);
        let status = Command::new(program)
            .args(["--exact", "a_store_that_cannot_be_written_says_so_and_what_to_do"])
            .env(DIRECTORY, directory.path())
            .current_dir("/")
            .gid(65_534)
            .uid(65_534)
            .status();
        assert!(status.expect("started").success());
    } else {
        check(directory.path()).await;
    }
    for case in ["file", "directory", "nothing yet"] {
        allow(&directory.path().join(case), 0o777);
    }
}
