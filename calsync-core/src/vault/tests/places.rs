//! A seal fits the place that it was made for, as it was made, and no other.

use super::*;

async fn row(store: &MemoryStore, tenant: &str, name: &str) -> SealedRow {
    store.sealed(&tenant.into(), KIND, name).await.unwrap().expect("a row")
}

#[track_caller]
fn broken(answer: Result<Secret>, what: &str) {
    let error = answer.expect_err(what);
    assert_eq!(error.kind(), ErrorKind::Store, "{what}: {error}");
    assert!(error.to_string().contains("was altered, or belongs to another place"), "{what}: {error}");
    silent(&format!("{error} {error:?}"));
}

#[tokio::test]
async fn s08_a_row_does_not_open_at_another_tenant_kind_name_or_version() {
    let store = store();
    let vault = vault(&store);
    for tenant in ["acme", "globex"] {
        put(&vault, tenant, "amy", CANARY).await;
    }
    let row = row(&store, "acme", "amy").await;
    assert_eq!(vault.open(&"acme".into(), &row).await.unwrap().reveal(), CANARY);
    broken(vault.open(&"globex".into(), &row).await, "another tenant");
    broken(vault.open(&"Acme".into(), &row).await, "a tenant without a key");
    for kind in [SealedKind::Client, SealedKind::Consent, SealedKind::Invitation, SealedKind::Setting] {
        broken(vault.open(&"acme".into(), &SealedRow { kind, ..row.clone() }).await, "another kind");
    }
    for name in ["bob", "Amy", "amy ", "", "amy\0"] {
        let moved = SealedRow { name: name.to_owned(), ..row.clone() };
        broken(vault.open(&"acme".into(), &moved).await, name);
    }
    for version in [0, 2, u64::MAX] {
        broken(vault.open(&"acme".into(), &SealedRow { version, ..row.clone() }).await, "another version");
    }
}

#[tokio::test]
async fn s08_a_data_key_that_was_copied_to_another_tenant_opens_nothing_there() {
    let store = store();
    let vault = vault(&store);
    put(&vault, "acme", "amy", CANARY).await;
    let acme = store.sealed_rows(&"acme".into(), SealedKind::DataKey, None, 9).await.unwrap().remove(0);
    let stolen = row(&store, "acme", "amy").await;
    assert!(store.put_sealed(&"globex".into(), &acme, None).await.unwrap());
    broken(vault.open(&"globex".into(), &stolen).await, "the data key of another tenant");
}

#[tokio::test]
async fn s08_parts_that_run_into_each_other_are_told_apart() {
    let store = store();
    let vault = vault(&store);
    let secret = Secret::new(CANARY);
    let sealed = vault.seal(&"acme".into(), KIND, "ab", 1, &secret).await.unwrap();
    // The same data key under the tenant "acm", as nobody but the holder of the master key could make it.
    let other = super::super::seal::Place { tenant: &"acm".into(), kind: KIND, name: "eab", version: 1 };
    let keys = vault.data_keys(&"acme".into()).await.unwrap();
    let keys = vault.unwrap(&"acme".into(), vault.keys().unwrap(), &keys[0]).await.unwrap();
    assert!(super::super::seal::open(&keys.bytes, other, &sealed).is_none());
    let same = super::super::seal::Place { tenant: &"acme".into(), name: "ab", ..other };
    assert_eq!(
        super::super::seal::open(&keys.bytes, same, &sealed).expect("opens").as_slice(),
        CANARY.as_bytes()
    );
}

#[tokio::test]
async fn s08_every_altered_or_missing_byte_of_a_row_is_noticed() {
    let store = store();
    let vault = vault(&store);
    put(&vault, "acme", "amy", "x").await;
    let row = row(&store, "acme", "amy").await;
    let sealed = row.sealed.clone().expect("sealed");
    assert_eq!(sealed.len(), 1 + 16 + 24 + 1 + 16, "format, key, nonce, content, tag");
    for at in 0..sealed.len() {
        for bit in 0..8 {
            let mut altered = sealed.clone();
            altered[at] ^= 1 << bit;
            let altered = SealedRow { sealed: Some(altered), ..row.clone() };
            broken(vault.open(&"acme".into(), &altered).await, &format!("byte {at}, bit {bit}"));
        }
        let short = SealedRow { sealed: Some(sealed[..at].to_vec()), ..row.clone() };
        broken(vault.open(&"acme".into(), &short).await, &format!("cut at {at}"));
    }
    let long = SealedRow { sealed: Some([&sealed[..], b"x"].concat()), ..row.clone() };
    broken(vault.open(&"acme".into(), &long).await, "longer");
    let none = SealedRow { sealed: None, ..row };
    assert_eq!(vault.open(&"acme".into(), &none).await.expect_err("no secret").kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn s08_every_altered_or_missing_byte_of_a_data_key_is_noticed() {
    let store = store();
    let vault = vault(&store);
    put(&vault, "acme", "amy", CANARY).await;
    let acme = Tenant::from("acme");
    let right = store.sealed_rows(&acme, SealedKind::DataKey, None, 9).await.unwrap().remove(0);
    let sealed = right.sealed.clone().expect("sealed");
    let header = 2 + key(1).id().as_str().len() + 8;
    let check = async |sealed: Vec<u8>, readable: bool, what: String| {
        let wrong = SealedRow { sealed: Some(sealed), ..right.clone() };
        assert!(store.put_sealed(&acme, &wrong, Some(1)).await.unwrap());
        let error = got(&vault, "acme", "amy").await.expect_err(&what);
        assert!(matches!(error.kind(), ErrorKind::Store | ErrorKind::Config), "{what}: {error}");
        let secret = Secret::new("new");
        let put = vault.put(&acme, KIND, "bob", json!({}), Some(&secret), None, None).await;
        put.expect_err("nothing is sealed by a key that is damaged, and none is made beside it");
        // What says that the current key wrapped it has nothing to be changed, opened or not.
        let rotation = vault.rotate_master(false).await.expect("the others go on");
        let failed = usize::from(!readable);
        assert_eq!((rotation.rows_done, rotation.failed.len()), (0, failed), "{what}");
    };
    for at in 0..sealed.len() {
        let mut altered = sealed.clone();
        altered[at] ^= 1;
        check(altered, at >= header, format!("byte {at}")).await;
        check(sealed[..at].to_vec(), at >= header, format!("cut at {at}")).await;
    }
    assert!(store.put_sealed(&acme, &right, Some(1)).await.unwrap());
    assert_eq!(got(&vault, "acme", "amy").await.unwrap(), CANARY, "mended");
    let facts = SealedRow { facts: json!({"master": 1}), ..right };
    assert!(store.put_sealed(&acme, &facts, Some(1)).await.unwrap());
    assert_eq!(got(&vault, "acme", "amy").await.expect_err("no id").kind(), ErrorKind::Store);
}
