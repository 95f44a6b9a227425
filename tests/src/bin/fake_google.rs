//! The fake Google Calendar as a program of its own.
//!
//! ```sh
//! cargo run -p calsync-testkit --bin fake-google -- --listen 127.0.0.1:4112
//! ```
//!
//! Prints one line of JSON with everything that a client needs, and serves until it is stopped. The world holds two
//! accounts, an OAuth client with a refresh token for the first of them, and a service account that may impersonate
//! both. Orders to the fake itself (expire tokens, queue faults, act as a user) go to `/_fake/…`.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use calsync_testkit::fake_google::{FakeGoogle, GOOGLE_TOKEN_URL, Server};
use serde_json::{Value, json};

const USAGE: &str =
    "usage: fake-google [--listen ADDRESS] [--account EMAIL]... [--zone ZONE] [--ics FILE] [--key-file FILE]

  --listen ADDRESS   where to serve; port 0 takes a free one (default 127.0.0.1:0)
  --account EMAIL    an account; the first one has the refresh token
                     (default alice@example.com and bob@example.com)
  --zone ZONE        the time zone of the calendars (default UTC)
  --ics FILE         an iCalendar file to load into the first account's calendar
  --key-file FILE    where to write the service account's key file
                     (default: a fresh file in the directory for temporary files)";

const KEY: &str = include_str!("../../data/keys/throwaway_service_account.pem");
const CLIENT: &str = "calsync-test.apps.googleusercontent.com";
const SECRET: &str = "calsync-secret";
const REFRESH_TOKEN: &str = "test-refresh-token";
const SERVICE_ACCOUNT: &str = "calsync-test@calsync-test.iam.gserviceaccount.com";
const SERVICE_CLIENT_ID: &str = "100000000000000000001";

/// Everything that calsync may ask for.
const SCOPES: &[&str] = &[
    "calendar",
    "calendar.readonly",
    "calendar.events",
    "calendar.events.readonly",
    "calendar.calendarlist",
    "calendar.calendarlist.readonly",
    "calendar.calendars",
    "calendar.calendars.readonly",
    "calendar.freebusy",
    "calendar.settings.readonly",
];

struct Options {
    listen: String,
    accounts: Vec<String>,
    zone: String,
    ics: Option<PathBuf>,
    key_file: Option<PathBuf>,
}

fn main() -> ExitCode {
    match options(std::env::args().skip(1)) {
        Ok(Some(options)) => match run(options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("fake-google: {error}");
                ExitCode::FAILURE
            }
        },
        Ok(None) => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("fake-google: {error}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn run(options: Options) -> Result<(), String> {
    let mut fake = FakeGoogle::new();
    for account in &options.accounts {
        fake.account(account);
        if !fake.set_zone(&account.to_ascii_lowercase(), &options.zone) {
            return Err(format!("{} is not an IANA zone", options.zone));
        }
    }
    let first = options.accounts.first().ok_or("there is no account")?.to_ascii_lowercase();
    fake.oauth_client(CLIENT, SECRET);
    fake.refresh_token(REFRESH_TOKEN, CLIENT, &first, SCOPES);
    fake.service_account(SERVICE_ACCOUNT, SERVICE_CLIENT_ID, KEY.as_bytes())?;
    fake.delegate(SERVICE_CLIENT_ID, SCOPES);
    if let Some(path) = &options.ics {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        fake.load_ics(chrono::Utc::now(), &first, &text)?;
    }
    let key_file = write_key(options.key_file)?;
    let server =
        Server::start(fake, &options.listen).map_err(|error| format!("{}: {error}", options.listen))?;
    let base = server.base_url();
    let facts = json!({
        "base_url": base,
        "api_url": format!("{base}/calendar/v3"),
        "token_path": "/token",
        "token_url": format!("{base}/token"),
        "control_url": format!("{base}/_fake"),
        "accounts": options.accounts,
        "client_id": CLIENT,
        "client_secret": SECRET,
        "refresh_token": REFRESH_TOKEN,
        "service_account": SERVICE_ACCOUNT,
        "service_account_client_id": SERVICE_CLIENT_ID,
        "service_account_key_file": key_file.display().to_string(),
    });
    // One line, at once: a parent process reads it to learn the port.
    let mut out = std::io::stdout().lock();
    writeln!(out, "{facts}")
        .and_then(|()| out.flush())
        .map_err(|error| format!("standard output: {error}"))?;
    drop(out);
    server.wait();
    Ok(())
}

/// The key file as Google's console hands it out. Its `token_uri` is Google's own: an address from an uploaded file is
/// never used, so a client has to be told the fake's address in another way.
fn write_key(path: Option<PathBuf>) -> Result<PathBuf, String> {
    let path = path.unwrap_or_else(|| {
        std::env::temp_dir().join(format!("fake-google-{}-service-account.json", std::process::id()))
    });
    let key: Value = json!({
        "type": "service_account",
        "project_id": "calsync-test",
        "private_key_id": "0123456789abcdef0123456789abcdef01234567",
        "private_key": KEY,
        "client_email": SERVICE_ACCOUNT,
        "client_id": SERVICE_CLIENT_ID,
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": GOOGLE_TOKEN_URL,
        "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
        "client_x509_cert_url": format!(
            "https://www.googleapis.com/robot/v1/metadata/x509/{}",
            SERVICE_ACCOUNT.replace('@', "%40")
        ),
        "universe_domain": "googleapis.com",
    });
    let text = format!("{key:#}\n");
    std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path)
}

/// Nothing means that help was asked for.
fn options(mut arguments: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options {
        listen: "127.0.0.1:0".to_owned(),
        accounts: Vec::new(),
        zone: "UTC".to_owned(),
        ics: None,
        key_file: None,
    };
    while let Some(argument) = arguments.next() {
        if argument == "--help" || argument == "-h" {
            return Ok(None);
        }
        // Both `--listen ADDRESS` and `--listen=ADDRESS`.
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (argument, arguments.next()),
        };
        let value = value.ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--listen" => options.listen = value,
            "--account" => options.accounts.push(value),
            "--zone" => options.zone = value,
            "--ics" => options.ics = Some(PathBuf::from(value)),
            "--key-file" => options.key_file = Some(PathBuf::from(value)),
            _ => return Err(format!("{name} is not an option")),
        }
    }
    if options.accounts.is_empty() {
        options.accounts = vec!["alice@example.com".to_owned(), "bob@example.com".to_owned()];
    }
    Ok(Some(options))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_in_both_forms_and_refused_when_unknown() {
        let read = |text: &str| options(text.split_whitespace().map(str::to_owned));
        let got = read("--listen 127.0.0.1:4112 --account=c@x.test --zone Europe/Berlin").unwrap().unwrap();
        assert_eq!((got.listen.as_str(), got.zone.as_str()), ("127.0.0.1:4112", "Europe/Berlin"));
        assert_eq!(got.accounts, ["c@x.test"]);
        assert_eq!(read("").unwrap().unwrap().accounts, ["alice@example.com", "bob@example.com"]);
        assert!(read("--help").unwrap().is_none());
        assert!(read("--listen").is_err());
        assert!(read("--port 1").is_err());
    }
}
