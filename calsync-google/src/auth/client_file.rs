//! The file of an OAuth client.
//!
//! The console gives it out once, when the client is made, in one of two shapes: `web` for clients that answer to addresses of their
//! own, `installed` for desktop clients, which answer to the loopback. As in a service account's key, no address in it that
//! calsync would send anything to is ever used; a file that names another one than Google's is refused by that name (S1).

use super::file::{TOKEN_URI, Wanted};
use super::oauth::OAuthClient;
use calsync_core::planted::{self, Fault};
use calsync_core::{Result, Secret};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::path::Path;

/// Where consent is asked for, as the console writes it into files, and as it is documented.
const AUTH_URIS: [&str; 2] =
    ["https://accounts.google.com/o/oauth2/auth", "https://accounts.google.com/o/oauth2/v2/auth"];
const WANTED: Wanted = Wanted {
    name: "an OAuth client file",
    from_file: "OAuthClientFile::from_file",
    cure: "Make an OAuth client in the Google Cloud console (Google Auth Platform > Clients > Create client), press \"Download JSON\" before \
           you close the window that shows the secret, and use the whole file, unchanged. Later the console does not show the \
           secret again: add a new one then.",
};

/// What an OAuth client answers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientKind {
    /// Addresses that are registered with it, byte for byte: the application type "Web application".
    Web,
    /// Any port of the loopback: the application type "Desktop app", in files `installed`.
    Desktop,
}

/// An OAuth client, as its file describes it.
#[derive(Clone, Debug)]
pub struct OAuthClientFile {
    /// Its id and its secret.
    pub client: OAuthClient,
    /// What it answers to.
    pub kind: ClientKind,
    /// The addresses registered when the file was made, in its order; more may have been registered since.
    pub redirect_uris: Vec<String>,
    /// The Google Cloud project in which the Calendar API must be enabled, if the file has it.
    pub project_id: Option<String>,
}

impl OAuthClientFile {
    /// Reads the file that the Google Cloud console gives out.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](calsync_core::ErrorKind::Config), saying what the file is instead, or which of its fields are bad.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        WANTED.file(path.as_ref(), Self::from_bytes)
    }

    /// Takes the text of the file, as pasted.
    ///
    /// # Errors
    /// As [`OAuthClientFile::from_file`].
    pub fn from_json(text: &str) -> Result<Self> {
        Self::from_bytes(text.as_bytes())
    }

    /// A client of the type "Web application", as its values stand in the console: id, secret, and the addresses registered with it.
    ///
    /// # Errors
    /// As [`OAuthClientFile::from_file`].
    pub fn web(
        id: &str,
        secret: Secret,
        redirect_uris: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Self> {
        let redirect_uris: Vec<String> = redirect_uris.into_iter().map(Into::into).collect();
        Self::from_values(ClientKind::Web, id, &secret, &redirect_uris)
    }

    /// A client of the type "Desktop app", as its values stand in the console.
    ///
    /// # Errors
    /// As [`OAuthClientFile::from_file`].
    pub fn desktop(id: &str, secret: Secret) -> Result<Self> {
        Self::from_values(ClientKind::Desktop, id, &secret, &[])
    }

    fn from_values(kind: ClientKind, id: &str, secret: &Secret, redirect_uris: &[String]) -> Result<Self> {
        let values = [
            ("client_id", json!(id)),
            ("client_secret", json!(secret.reveal())),
            ("redirect_uris", json!(redirect_uris)),
        ];
        Self::from_map(kind, values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut map = WANTED.object(bytes)?;
        match (map.remove("web"), map.remove("installed")) {
            (Some(_), Some(_)) => {
                Err(WANTED.refuse("the file holds two clients, `web` and `installed`: split it"))
            }
            (Some(Value::Object(fields)), None) => Self::from_map(ClientKind::Web, fields),
            (None, Some(Value::Object(fields))) => Self::from_map(ClientKind::Desktop, fields),
            (None, None) => Err(wrong_file(&map)),
            _ => Err(WANTED.refuse("what is under `web` or `installed` is no object")),
        }
    }

    /// Checks all fields and names all bad ones.
    fn from_map(kind: ClientKind, mut map: Map<String, Value>) -> Result<Self> {
        let mut bad = Vec::new();
        let secret = match map.remove("client_secret").map(Secret::deserialize) {
            None => {
                bad.push("client_secret: it is missing".to_owned());
                None
            }
            Some(Ok(secret)) if !secret.reveal().trim().is_empty() => {
                Some(Secret::new(secret.reveal().trim()))
            }
            Some(_) => {
                bad.push("client_secret: it is not text, or empty".to_owned());
                None
            }
        };
        let text = |name: &str| {
            let text = map.get(name).and_then(Value::as_str).map(str::trim);
            text.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let id = text("client_id").filter(|id| id.ends_with(".apps.googleusercontent.com"));
        if id.is_none() {
            bad.push("client_id: it does not end with .apps.googleusercontent.com".to_owned());
        }
        let said = |name: &str| map.get(name).map(|uri| uri.as_str().map(str::trim).unwrap_or_default());
        if said("token_uri").is_some_and(|uri| uri != TOKEN_URI)
            && !planted::on(Fault::ClientOfAnotherEndpoint)
        {
            bad.push(format!("token_uri: it is not {TOKEN_URI}"));
        }
        if said("auth_uri").is_some_and(|uri| !AUTH_URIS.contains(&uri)) {
            bad.push(format!("auth_uri: it is not {}", AUTH_URIS[0]));
        }
        let redirect_uris: Option<Vec<String>> = match map.get("redirect_uris") {
            None => Some(Vec::new()),
            Some(list) => list
                .as_array()
                .and_then(|list| list.iter().map(|uri| uri.as_str().map(str::to_owned)).collect()),
        };
        if redirect_uris.is_none() {
            bad.push("redirect_uris: it is not a list of addresses".to_owned());
        }
        match (id, secret, redirect_uris) {
            (Some(id), Some(secret), Some(redirect_uris)) if bad.is_empty() => {
                let project_id = text("project_id");
                Ok(Self { client: OAuthClient { id, secret }, kind, redirect_uris, project_id })
            }
            _ => Err(WANTED.refuse(format!("the OAuth client file has bad fields: {}", bad.join("; ")))),
        }
    }
}

impl std::str::FromStr for OAuthClientFile {
    type Err = calsync_core::Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::from_json(text)
    }
}

/// Other files of Google's that look alike.
fn wrong_file(map: &Map<String, Value>) -> calsync_core::Error {
    let what = match map.get("type").and_then(Value::as_str).map(str::trim) {
        Some("service_account") => {
            return WANTED.refuse("this is a service account key, not an OAuth client file").cure(
                "To act for a whole Workspace, or in calendars that are shared with the account, use it as the service account \
                 key. To connect people one by one, make an OAuth client under Google Auth Platform > Clients.",
            );
        }
        Some("authorized_user") => "these are a person's own credentials (gcloud), not an OAuth client file",
        _ if map.contains_key("access_token") || map.contains_key("refresh_token") => {
            "this is a token, not an OAuth client file"
        }
        _ if map.contains_key("client_id") => {
            "this is what stands inside of an OAuth client file: the object `web` or `installed` around it is missing"
        }
        _ if map.contains_key("error") => "this is an error message in JSON, not an OAuth client file",
        _ => "neither `web` nor `installed` is in it: this is not an OAuth client file",
    };
    WANTED.refuse(what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use calsync_core::ErrorKind;
    use serde_json::json;

    fn fields() -> Value {
        json!({
            "client_id": "1-a.apps.googleusercontent.com", "project_id": "p1",
            "auth_uri": "https://accounts.google.com/o/oauth2/auth", "token_uri": TOKEN_URI,
            "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
            "client_secret": "GOCSPX-neversay",
            "redirect_uris": ["https://crm.example.com/index.php?entryPoint=saveGoogleApiKey", "https://crm.example.com/cb"],
        })
    }

    fn with(name: &str, value: Value) -> String {
        let mut fields = fields();
        fields[name] = value;
        json!({"web": fields}).to_string()
    }

    #[track_caller]
    fn refused(text: &str) -> String {
        let error = OAuthClientFile::from_json(text).expect_err("no client");
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.cure_text().is_some());
        assert!(!format!("{error} {error:?}").contains("neversay"), "{error}");
        error.message().to_owned()
    }

    #[test]
    fn both_shapes_are_read_and_printed_without_the_secret() {
        for (shape, kind) in [("web", ClientKind::Web), ("installed", ClientKind::Desktop)] {
            let text = serde_json::to_string_pretty(&json!({shape: fields()})).expect("JSON");
            for text in [text.clone(), format!("\u{feff}  {}\r\n", text.replace('\n', "\r\n"))] {
                let file = OAuthClientFile::from_json(&text).expect("a client");
                assert_eq!((file.kind, file.client.id.as_str()), (kind, "1-a.apps.googleusercontent.com"));
                assert_eq!(file.client.secret.reveal(), "GOCSPX-neversay");
                assert_eq!(file.redirect_uris[1], "https://crm.example.com/cb");
                assert_eq!(file.project_id.as_deref(), Some("p1"));
                assert!(!format!("{file:?}").contains("neversay"), "{file:?}");
            }
        }
        let bare =
            json!({"installed": {"client_id": "1-a.apps.googleusercontent.com", "client_secret": "x"}});
        assert!(OAuthClientFile::from_json(&bare.to_string()).expect("a client").redirect_uris.is_empty());
    }

    #[test]
    fn each_usual_mix_up_has_its_own_answer() {
        for (text, message) in [
            ("", "it is empty"),
            ("GOCSPX-neversay", "this is an OAuth client secret, not an OAuth client file"),
            (
                "1-neversay.apps.googleusercontent.com",
                "this is the id of an OAuth client, not an OAuth client file",
            ),
            ("AIzaNeversay", "this is an API key, not an OAuth client file"),
            ("<html>", "this is a web page, not an OAuth client file"),
            ("{\"web\":{\"client", "the text is cut off: its end is missing"),
            (
                "client_secret_1.json",
                "this is the name of a file; its content is wanted (or OAuthClientFile::from_file)",
            ),
            (
                r#"{"type":"service_account","private_key":"neversay"}"#,
                "this is a service account key, not an OAuth client file",
            ),
            (
                r#"{"type":"authorized_user","client_id":"neversay"}"#,
                "these are a person's own credentials (gcloud), not an OAuth client file",
            ),
            (r#"{"refresh_token":"neversay"}"#, "this is a token, not an OAuth client file"),
            (
                r#"{"client_id":"neversay","client_secret":"neversay"}"#,
                "this is what stands inside of an OAuth client file: the object `web` or `installed` around it is missing",
            ),
            ("{}", "neither `web` nor `installed` is in it: this is not an OAuth client file"),
            (r#"{"web":{},"installed":{}}"#, "the file holds two clients, `web` and `installed`: split it"),
            (r#"{"web":[]}"#, "what is under `web` or `installed` is no object"),
        ] {
            assert_eq!(refused(text), message);
        }
        assert_eq!(
            refused(r#"{"web":{"redirect_uris":[7]}}"#),
            "the OAuth client file has bad fields: client_secret: it is missing; client_id: it does not end with \
             .apps.googleusercontent.com; redirect_uris: it is not a list of addresses"
        );
    }

    #[test]
    fn s01_a_file_that_names_another_endpoint_is_refused_by_name() {
        for uri in ["https://oauth2.googleapis.com.evil.example/token", "http://127.0.0.1:8080/token", ""] {
            assert_eq!(
                refused(&with("token_uri", json!(uri))),
                "the OAuth client file has bad fields: token_uri: it is not https://oauth2.googleapis.com/token"
            );
        }
        for uri in [json!("https://evil.example/auth"), json!(7)] {
            assert_eq!(
                refused(&with("auth_uri", uri)),
                "the OAuth client file has bad fields: auth_uri: it is not https://accounts.google.com/o/oauth2/auth"
            );
        }
    }
}
