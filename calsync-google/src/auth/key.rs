//! A service account's key file.
//!
//! What is damaged on the way is mended where that does no harm (`file.rs`; here, `\n` written out in the key), and every usual
//! mix-up has its own answer. Bad fields are named together, not one by one.
//!
//! No address in the file is ever used: the token endpoint is a constant, and a file that names another one is refused by
//! that name, because it could send a signed assertion elsewhere. Answers name fields, never their values.

use super::file::{TOKEN_URI, Wanted};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use calsync_core::planted::{self, Fault};
use calsync_core::{Error, ErrorKind, Result, Secret};
use ring::signature::RsaKeyPair;
use secrecy::zeroize::Zeroizing;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::fmt;
use std::path::Path;

const NEW_KEY: &str = "Make a JSON key in the Google Cloud console (IAM & Admin > Service accounts > the account > Keys > Add key > JSON) \
                       and use the whole downloaded file, unchanged.";
const WANTED: Wanted =
    Wanted { name: "a service account key", from_file: "ServiceAccountKey::from_file", cure: NEW_KEY };

/// The key of a service account.
#[derive(Clone)]
pub struct ServiceAccountKey {
    client_email: String,
    private_key_id: Option<String>,
    client_id: Option<String>,
    project_id: Option<String>,
    /// PKCS#8 in base64.
    private_key: Secret,
}

impl ServiceAccountKey {
    /// Reads the file that the Google Cloud console gives out.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], saying what the file is instead of a key, or which of its fields are bad.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        WANTED.file(path.as_ref(), Self::from_bytes)
    }

    /// Takes the text of the file, as pasted.
    ///
    /// # Errors
    /// As [`ServiceAccountKey::from_file`].
    pub fn from_json(text: &str) -> Result<Self> {
        Self::from_bytes(text.as_bytes())
    }

    /// The account's address: what calendars are shared with.
    pub fn client_email(&self) -> &str {
        &self.client_email
    }

    /// The number that a Workspace administrator enters for domain-wide delegation, if the file has it.
    pub fn client_id(&self) -> Option<&str> {
        self.client_id.as_deref()
    }

    /// The key's id, if the file has it; an account can have several keys.
    pub fn private_key_id(&self) -> Option<&str> {
        self.private_key_id.as_deref()
    }

    /// The Google Cloud project in which the Calendar API must be enabled, if the file has it.
    pub fn project_id(&self) -> Option<&str> {
        self.project_id.as_deref()
    }

    /// The key, ready to sign with. Made anew for each signature, so that nothing but [`Secret`] keeps it.
    pub(crate) fn key_pair(&self) -> Result<RsaKeyPair> {
        let der = STANDARD.decode(self.private_key.reveal()).map(Zeroizing::new);
        der.ok().and_then(|der| RsaKeyPair::from_pkcs8(&der).ok()).ok_or_else(|| {
            Error::new(ErrorKind::Config, "the service account's private key cannot be used").cure(NEW_KEY)
        })
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let map = WANTED.object(bytes)?;
        wrong_file(&map)?;
        Self::from_map(map)
    }

    /// Checks all fields and names all bad ones.
    fn from_map(mut map: Map<String, Value>) -> Result<Self> {
        let mut bad = Vec::new();
        let private_key = match map.remove("private_key").map(Secret::deserialize) {
            None => Err("it is missing"),
            Some(Err(_)) => Err("it is not text"),
            Some(Ok(pem)) => read_pem(&pem),
        };
        let private_key = private_key.map_err(|why| bad.push(format!("private_key: {why}"))).ok();
        let text = |name: &str| {
            let text = map.get(name).and_then(Value::as_str).map(str::trim);
            text.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let email = match text("client_email") {
            None => Err("it is missing"),
            Some(email) if is_address(&email) => Ok(email),
            Some(_) => Err("it is not an e-mail address"),
        };
        let email = email.map_err(|why| bad.push(format!("client_email: {why}"))).ok();
        let universe = text("universe_domain");
        let universe = universe.filter(|_| !planted::on(Fault::KeyOfAnotherUniverse));
        if universe.is_some_and(|domain| domain != "googleapis.com") {
            bad.push("universe_domain: it is not googleapis.com".into());
        }
        let token_uri = map.get("token_uri").filter(|_| !planted::on(Fault::KeyOfAnotherEndpoint));
        if token_uri.is_some_and(|uri| uri.as_str().map(str::trim) != Some(TOKEN_URI)) {
            bad.push(format!("token_uri: it is not {TOKEN_URI}"));
        }
        let (Some(private_key), Some(client_email), true) = (private_key, email, bad.is_empty()) else {
            return Err(refuse(format!("the service account key has bad fields: {}", bad.join("; "))));
        };
        Ok(Self {
            client_email,
            private_key_id: text("private_key_id"),
            // Only a number is worth being shown to an administrator.
            client_id: text("client_id").filter(|id| id.bytes().all(|b| b.is_ascii_digit())),
            project_id: text("project_id"),
            private_key,
        })
    }
}

impl std::str::FromStr for ServiceAccountKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::from_json(text)
    }
}

impl fmt::Debug for ServiceAccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceAccountKey")
            .field("client_email", &self.client_email)
            .field("private_key_id", &self.private_key_id)
            .field("client_id", &self.client_id)
            .field("project_id", &self.project_id)
            .field("private_key", &self.private_key)
            .finish()
    }
}

fn refuse(what: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    WANTED.refuse(what)
}

/// Other files of Google's that look alike.
fn wrong_file(map: &Map<String, Value>) -> Result<()> {
    let what = match map.get("type").and_then(Value::as_str).map(str::trim) {
        _ if map.contains_key("web") || map.contains_key("installed") => {
            return Err(Error::new(ErrorKind::Config, "this is an OAuth client file, not a service account key").cure(
                "To connect people one by one, use it as the OAuth client. For a service account, make a JSON key under IAM & \
                 Admin > Service accounts > the account > Keys.",
            ));
        }
        Some("service_account") => return Ok(()),
        Some("authorized_user") => "these are a person's own credentials (gcloud), not a service account key",
        Some("external_account" | "external_account_authorized_user") => {
            "this is a workload identity file (external_account), which calsync does not use, as it names addresses to fetch from"
        }
        Some("impersonated_service_account") => {
            "this file impersonates a service account; the account's own key is wanted"
        }
        Some("gdch_service_account") => "this is a key for Google Distributed Cloud",
        _ if map.contains_key("access_token") || map.contains_key("refresh_token") => {
            "this is a token, not a service account key"
        }
        _ if map.contains_key("error") => "this is an error message in JSON, not a key",
        Some(_) => "the field type is not service_account",
        None => "the field type is missing: this is not a service account key",
    };
    Err(refuse(what))
}

fn is_address(email: &str) -> bool {
    email.split_once('@').is_some_and(|(name, domain)| {
        !name.is_empty()
            && domain.contains('.')
            && !domain.contains('@')
            && !email.contains(char::is_whitespace)
    })
}

/// The key inside the PEM text, in base64.
fn read_pem(pem: &Secret) -> Result<Secret, &'static str> {
    let pem = Zeroizing::new(pem.reveal().replace("\\r", "").replace("\\n", "\n"));
    let pem = pem.trim().trim_matches(['"', '\'']).trim();
    let Some((_, rest)) = pem.split_once("-----BEGIN ") else {
        return Err("it is not a key in PEM form (-----BEGIN PRIVATE KEY-----)");
    };
    let Some((label, rest)) = rest.split_once("-----") else { return Err("it is cut off") };
    match label {
        "PRIVATE KEY" => {}
        "RSA PRIVATE KEY" => {
            return Err(
                "it is in PKCS#1 form (BEGIN RSA PRIVATE KEY); Google's key files have PKCS#8 (BEGIN PRIVATE KEY)",
            );
        }
        "ENCRYPTED PRIVATE KEY" => return Err("it is protected by a password"),
        "EC PRIVATE KEY" => return Err("it is an elliptic-curve key, not RSA"),
        "CERTIFICATE" => return Err("it is a certificate, not the private key"),
        _ if label.contains("PUBLIC KEY") => return Err("it is a public key; the private one is wanted"),
        _ => return Err("it is another kind of key"),
    }
    let Some((body, _)) = rest.split_once("-----END PRIVATE KEY-----") else {
        return Err("it is cut off: the line -----END PRIVATE KEY----- is missing");
    };
    let body = Zeroizing::new(body.chars().filter(|c| !c.is_whitespace()).collect::<String>());
    let der =
        STANDARD.decode(body.as_bytes()).map(Zeroizing::new).map_err(|_| "its text is damaged (base64)")?;
    RsaKeyPair::from_pkcs8(&der)
        .map_err(|_| "it is not an RSA key of 2,048 bits or more, or it is damaged")?;
    Ok(Secret::new(body.as_str()))
}

#[cfg(test)]
mod tests {
    use super::super::service_account::tests::{PEM, key_json};
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn refused(text: &str) -> String {
        let error = ServiceAccountKey::from_json(text).expect_err("no key");
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.cure_text().is_some());
        assert!(!error.to_string().contains("neversay"), "{error}");
        error.message().to_owned()
    }

    fn with(name: &str, value: Value) -> String {
        let mut key = key_json();
        key[name] = value;
        key.to_string()
    }

    #[test]
    fn harmless_damage_is_mended() {
        let key = key_json();
        let good = key.to_string();
        let pretty = serde_json::to_string_pretty(&key).expect("JSON");
        let one_line = PEM.replace('\n', " ");
        for text in [
            good.clone(),
            format!("\u{feff}{good}"),
            format!("\r\n\t  {} \n\n", pretty.replace('\n', "\r\n")),
            // A backslash and an n where a line break should be.
            with("private_key", json!(PEM.replace('\n', "\\n"))),
            with("private_key", json!(PEM.replace('\n', "\\r\\n"))),
            with("private_key", json!(one_line)),
            with("private_key", json!(format!("\"{PEM}\""))),
            // Real line breaks inside of the JSON text.
            good.replace("\\n", "\n"),
            good.replace("\\n", "\r\n"),
            with("unknown_field", json!({"a": [1]})),
        ] {
            let key = ServiceAccountKey::from_json(&text).expect("a key");
            assert_eq!(key.client_email(), "sync@p1.iam.gserviceaccount.com");
            assert!(key.key_pair().is_ok());
        }
        let wide: Vec<u8> =
            std::iter::once(0xfeff).chain(good.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        assert!(ServiceAccountKey::from_bytes(&wide).is_ok());
    }

    #[test]
    fn each_usual_mix_up_has_its_own_answer() {
        for (text, message) in [
            ("", "it is empty"),
            (" \r\n ", "it is empty"),
            ("<!DOCTYPE html><title>Sign in</title>", "this is a web page, not a service account key"),
            ("{\"type\": \"service_acc", "the text is cut off: its end is missing"),
            ("{type: neversay}", "this is not valid JSON"),
            (
                "{“type”: “service_account”}",
                "the quotation marks were replaced by typographic ones, as word processors do",
            ),
            ("hello neversay", "this is not JSON"),
            ("[]", "this is a list, not a service account key"),
            ("\"{}\"", "this is JSON inside a JSON string: paste the file itself"),
            ("AIzaSyNeversay", "this is an API key, not a service account key"),
            ("GOCSPX-neversay", "this is an OAuth client secret, not a service account key"),
            ("ya29.neversay", "this is an access token, not a service account key"),
            (
                "C:\\keys\\neversay.json",
                "this is the name of a file; its content is wanted (or ServiceAccountKey::from_file)",
            ),
            (
                "sync@p1.iam.gserviceaccount.com",
                "this is the address of a service account, not a service account key",
            ),
            ("eyJ0eXBlIjoiY2FuYXJ5In0=", "this is encoded in base64; paste the JSON text itself"),
            (PEM, "this is only the private key; the whole JSON file around it is wanted"),
            ("-----BEGIN CERTIFICATE-----", "this is a certificate or a bare key, not a service account key"),
            (
                r#"{"web":{"client_id":"neversay"}}"#,
                "this is an OAuth client file, not a service account key",
            ),
            (
                r#"{"installed":{"client_id":"neversay"}}"#,
                "this is an OAuth client file, not a service account key",
            ),
            (
                r#"{"type":"authorized_user","refresh_token":"neversay"}"#,
                "these are a person's own credentials (gcloud), not a service account key",
            ),
            (
                r#"{"type":"external_account","token_url":"http://neversay"}"#,
                "this is a workload identity file (external_account), which calsync does not use, as it names addresses to \
                 fetch from",
            ),
            (
                r#"{"type":"impersonated_service_account"}"#,
                "this file impersonates a service account; the account's own key is wanted",
            ),
            (r#"{"access_token":"neversay"}"#, "this is a token, not a service account key"),
            (r#"{"error":{"code":403}}"#, "this is an error message in JSON, not a key"),
            ("{}", "the field type is missing: this is not a service account key"),
            (r#"{"type":"neversay"}"#, "the field type is not service_account"),
        ] {
            assert_eq!(refused(text), message);
        }
        let p12 = ServiceAccountKey::from_bytes(&[0x30, 0x82, 0x0a, 0x01, 0xff]).expect_err("no key");
        assert_eq!(p12.message(), "this is a P12 (or another binary) key file, not the JSON file");
    }

    #[test]
    fn a_bad_private_key_says_what_it_is_instead() {
        let body = PEM.lines().nth(1).expect("a line");
        for (pem, why) in [
            (json!(7), "it is not text"),
            (json!(null), "it is not text"),
            (json!("neversay"), "it is not a key in PEM form (-----BEGIN PRIVATE KEY-----)"),
            (
                json!(PEM.replace("-----END PRIVATE KEY-----", "")),
                "it is cut off: the line -----END PRIVATE KEY----- is missing",
            ),
            (json!(PEM.replace(body, "")), "it is not an RSA key of 2,048 bits or more, or it is damaged"),
            (json!(PEM.replace(body, "%%%%")), "its text is damaged (base64)"),
            (
                json!(PEM.replace("PRIVATE KEY", "RSA PRIVATE KEY")),
                "it is in PKCS#1 form (BEGIN RSA PRIVATE KEY); Google's key files have PKCS#8 (BEGIN PRIVATE KEY)",
            ),
            (
                json!(PEM.replace("PRIVATE KEY", "PUBLIC KEY")),
                "it is a public key; the private one is wanted",
            ),
            (json!(PEM.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY")), "it is protected by a password"),
            (json!(PEM.replace("PRIVATE KEY", "EC PRIVATE KEY")), "it is an elliptic-curve key, not RSA"),
            (json!(PEM.replace("PRIVATE KEY", "CERTIFICATE")), "it is a certificate, not the private key"),
        ] {
            assert_eq!(
                refused(&with("private_key", pem)),
                format!("the service account key has bad fields: private_key: {why}")
            );
        }
    }

    /// The sample of the HaloCRM guide, which people paste as it stands.
    #[test]
    fn the_guide_s_sample_is_refused_naming_both_bad_fields_at_once() {
        let sample = json!({
            "type": "service_account",
            "project_id": "xxx-1231",
            "private_key_id": "xxx",
            "private_key": "xxx",
            "client_email": "test.iam.gserviceaccount.com",
            "client_id": "xxx",
            "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": "https://oauth2.googleapis.com/token",
            "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
            "client_x509_cert_url": "https://www.googleapis.com/robot/v1/metadata/x509/test.iam.gserviceaccount.com",
            "universe_domain": "googleapis.com"
        });
        assert_eq!(
            refused(&sample.to_string()),
            "the service account key has bad fields: private_key: it is not a key in PEM form (-----BEGIN PRIVATE KEY-----); \
             client_email: it is not an e-mail address"
        );
    }

    #[test]
    fn s01_a_file_that_names_another_endpoint_is_refused_by_name() {
        for uri in [
            "https://oauth2.googleapis.com.evil.example/token",
            "http://oauth2.googleapis.com/token",
            "http://127.0.0.1:8080/token",
            "https://oauth2.googleapis.com/token?x=1",
            "https://oauth2.googleapis.com@evil.example/token",
            "",
        ] {
            assert_eq!(
                refused(&with("token_uri", json!(uri))),
                "the service account key has bad fields: token_uri: it is not https://oauth2.googleapis.com/token"
            );
        }
        assert!(
            refused(&with("token_uri", json!(["https://oauth2.googleapis.com/token"]))).contains("token_uri")
        );
        assert_eq!(
            refused(&with("universe_domain", json!("neversay.goog"))),
            "the service account key has bad fields: universe_domain: it is not googleapis.com"
        );
    }

    #[test]
    fn a_key_prints_without_its_key() {
        let key = ServiceAccountKey::from_json(&key_json().to_string()).expect("a key");
        let printed = format!("{key:?}");
        assert!(printed.contains("[redacted]") && !printed.contains("MII"), "{printed}");
    }

    #[test]
    fn a_file_that_is_not_there_or_far_too_large_is_named() {
        let error = ServiceAccountKey::from_file("/nonexistent/key.json").expect_err("no file");
        assert_eq!(error.to_string(), "configuration: the file cannot be read (file /nonexistent/key.json)");
    }
}
