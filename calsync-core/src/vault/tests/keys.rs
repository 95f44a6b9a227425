//! Master keys: what is read as one, and what is said about those that are missing or wrong.

use super::super::key::hex;
use super::*;

#[track_caller]
fn refused(content: &[u8], found: &str) {
    let error = MasterKey::parse(content).expect_err("it is refused").to_string();
    assert!(error.contains(&format!("but this is {found}. Make one with")), "{error}");
    let text = String::from_utf8_lossy(content);
    let text = text.trim();
    assert!(text.len() < 12 || !error.contains(text), "it quotes what it read: {error}");
}

#[test]
fn a_key_is_read_raw_in_hexadecimal_and_in_base64_and_goes_by_the_same_id() {
    let bytes: Vec<u8> = (100..132).map(|n: u8| n.wrapping_mul(7)).collect();
    let key = MasterKey::parse(&bytes).expect("raw");
    let standard = "vMPK0djf5u30+wIJEBceJSwzOkFIT1ZdZGtyeYCHjpU=";
    let texts = [
        hex(&bytes),
        hex(&bytes).to_uppercase(),
        format!("  {}\r\n", hex(&bytes)),
        standard.to_owned(),
        format!("{standard}\n"),
        standard.trim_end_matches('=').to_owned(),
        standard.replace('+', "-"),
    ];
    for text in texts {
        let read = MasterKey::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        assert_eq!((read.id(), read.reveal()), (key.id(), key.reveal()), "{text:?}");
    }
    let mut other = bytes.clone();
    other[31] ^= 1;
    assert_ne!(MasterKey::parse(&other).expect("raw").id(), key.id());
    assert_eq!(key.id().as_str().len(), 16);
    assert!(!hex(&bytes).contains(key.id().as_str()), "the id is a part of the key");
}

#[test]
fn what_is_no_key_is_refused_and_told_and_not_quoted() {
    refused(b"", "empty");
    refused(b"correct-horse-battery-staple", "28 characters of text (base64 of 21 bytes?)");
    refused(b"correct_horse_battery_staple!", "29 characters of text");
    refused(b"correct horse battery staple", "28 characters of text");
    refused(b"0123456789abcdef0123456789abcdef", "32 characters of text (base64 of 24 bytes?)");
    refused("ab".repeat(31).as_bytes(), "62 characters of text");
    refused(&[7; 31], "31 bytes");
    refused(&[7; 33], "33 bytes");
    refused(&[0; 32], "the byte 0 32 times");
    refused("00".repeat(32).as_bytes(), "the byte 0 32 times");
    refused(b"-----BEGIN PRIVATE KEY-----\nMIIE", "32 characters of text");
    refused(&[255, 254, 10], "3 bytes");
}

#[test]
fn a_key_id_is_short_and_printable() {
    for id in ["", "a b", "ü", "a\n", &"x".repeat(65)] {
        assert_eq!(KeyId::new(id).expect_err("it is refused").kind(), ErrorKind::Config, "{id:?}");
    }
    for id in ["2026-11", "arn:aws:kms:eu-1:123:key/ab", &"x".repeat(64)] {
        assert_eq!(KeyId::new(id).expect("an id").as_str(), id);
    }
}

#[test]
fn s09_a_key_does_not_print() {
    let new = generate(&Marked(SeededEntropy::new(3)));
    let bytes = KeyBytes::new(new.key.clone()).older(key(2));
    let callback = KeyCallback::new(async |_| Ok(None));
    let text = format!("{new:?} {new:#?} {bytes:?} {:?} {callback:?} {}", new.key, new.advice());
    assert!(text.contains("[redacted]") && text.contains(new.key.id().as_str()), "{text}");
    assert!(!text.contains(new.text.reveal()) && !text.contains(&hex(new.key.reveal())), "{text}");
    assert!(!text.contains(&format!("{:?}", new.key.reveal())[1..20]), "{text}");
}

#[tokio::test]
async fn s08_a_missing_key_and_the_one_that_was_given_are_named() {
    let store = store();
    put(&vault(&store), "acme", "amy", CANARY).await;
    let other = vault_with(&store, KeyBytes::new(key(2)).older(key(3)));
    let error = got(&other, "acme", "amy").await.expect_err("the key is not there");
    assert_eq!(error.kind(), ErrorKind::Config);
    let text = error.to_string();
    for part in [
        format!("needed key {}", key(1).id()),
        format!("given key {}", key(2).id()),
        "tenant acme".to_owned(),
    ] {
        assert!(text.contains(&part), "{part}: {text}");
    }
    let secret = Secret::new(CANARY);
    let put = other.put(&"acme".into(), KIND, "bob", json!({}), Some(&secret), None, None).await;
    put.expect_err("a new row would need the same data key");
    let both = vault_with(&store, KeyBytes::new(key(2)).older(key(1)));
    assert_eq!(got(&both, "acme", "amy").await.unwrap(), CANARY, "an older key opens until it is rotated");
}

#[tokio::test]
async fn s08_another_key_under_the_needed_name_is_told_apart_from_an_altered_row() {
    let store = store();
    let named = |number| key(number).named(KeyId::new("main").expect("an id"));
    put(&vault_with(&store, KeyBytes::new(named(1))), "acme", "amy", CANARY).await;
    let other = vault_with(&store, KeyBytes::new(named(2)));
    let error = got(&other, "acme", "amy").await.expect_err("it is another key");
    let text = error.to_string();
    let fingerprint = |number| format!("main (fingerprint {})", key(number).id());
    assert_eq!(error.kind(), ErrorKind::Config, "{text}");
    assert!(text.contains(&format!("needed key {}", fingerprint(1))), "{text}");
    assert!(text.contains(&format!("given key {}", fingerprint(2))), "{text}");
}

#[tokio::test]
async fn a_callback_without_a_key_says_so_and_one_with_the_wrong_key_is_not_believed() {
    let nothing = KeyCallback::new(async |_| Ok(None));
    assert_eq!(nothing.current().await.expect_err("none").kind(), ErrorKind::Config);
    let always = KeyCallback::new(async |_| Ok(Some(key(1))));
    assert!(always.key(key(2).id()).await.unwrap().is_none());
    assert!(always.key(key(1).id()).await.unwrap().is_some());
}
