//! The fake Google Calendar as a program of its own.
//!
//! ```sh
//! cargo run -p calsync-testkit --bin fake-google -- --listen 127.0.0.1:4112
//! ```
//!
//! Prints one line of JSON with everything that a client needs, and serves until it is stopped. The world holds two
//! accounts, an OAuth client of a web application with a refresh token for the first of them, one of an installed
//! application, and a service account that may impersonate both. Whoever opens the consent page at `auth_url` plays
//! either of them. Orders to the fake itself (expire tokens, queue faults, act as a user) go to `/_fake/…`.

mod made_up;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use calsync_testkit::fake_google::{ClientKind, FakeGoogle, GOOGLE_TOKEN_URL, Server};
use made_up::Size;
use serde_json::{Value, json};

const USAGE: &str =
    "usage: fake-google [--listen ADDRESS] [--account EMAIL]... [--zone ZONE] [--ics FILE] [--events COUNT]
                   [--event-bytes BYTES | --hostile yes] [--keep-pages yes]
                   [--redirect-uri URI]... [--key-file FILE]

  --listen ADDRESS   where to serve; port 0 takes a free one (default 127.0.0.1:0)
  --account EMAIL    an account; the first one has the refresh token
                     (default alice@example.com and bob@example.com)
  --zone ZONE        the time zone of the calendars (default UTC)
  --ics FILE         an iCalendar file to load into the first account's calendar
  --events COUNT     so many made-up events for the first account's calendar, one in a hundred of them a series
                     (default 0)
  --event-bytes BYTES  each of them takes about so many bytes of a listing, 2000 to 9000
                     (default 0: as they come, about 1000)
  --hostile yes      each of them is as large as Google lets an event become: 8192 characters of text, 300 guests,
                     596 properties
  --keep-pages yes   give a page of a listing again as it was rendered, until something is written: for benchmarks
  --redirect-uri URI where the web application may be sent back to
                     (default http://localhost:8080/oauth/callback)
  --key-file FILE    where to write the service account's key file
                     (default: a fresh file in the directory for temporary files)";

const KEY: &str = include_str!("../../data/keys/throwaway_service_account.pem");
const CLIENT: &str = "calsync-test.apps.googleusercontent.com";
const SECRET: &str = "GOCSPX-neversay";
const INSTALLED_CLIENT: &str = "calsync-test-desktop.apps.googleusercontent.com";
const PROJECT: &str = "calsync-test";
const REDIRECT_URI: &str = "http://localhost:8080/oauth/callback";
const REFRESH_TOKEN: &str = "1//0neversay-test";
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
    events: u32,
    size: Size,
    keep_pages: bool,
    redirect_uris: Vec<String>,
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
    let client = fake.oauth_client(CLIENT, SECRET);
    client.redirect_uris.clone_from(&options.redirect_uris);
    client.project = PROJECT.to_owned();
    let installed = fake.oauth_client(INSTALLED_CLIENT, SECRET);
    (installed.kind, installed.project) = (ClientKind::Installed, PROJECT.to_owned());
    fake.refresh_token(REFRESH_TOKEN, CLIENT, &first, SCOPES);
    fake.service_account(SERVICE_ACCOUNT, SERVICE_CLIENT_ID, KEY.as_bytes())?;
    fake.delegate(SERVICE_CLIENT_ID, SCOPES);
    if let Some(path) = &options.ics {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        fake.load_ics(chrono::Utc::now(), &first, &text)?;
    }
    for number in 0..options.events {
        let event = made_up::event(number, options.size);
        let made = fake.user_insert(chrono::Utc::now(), &first, &event);
        made.map_err(|refusal| format!("event {number}: {}", refusal.body()))?;
    }
    let key_file = write_key(options.key_file)?;
    let start = if options.keep_pages { Server::start_keeping_pages } else { Server::start };
    let server = start(fake, &options.listen).map_err(|error| format!("{}: {error}", options.listen))?;
    let base = server.base_url();
    let facts = json!({
        "base_url": base,
        "api_url": format!("{base}/calendar/v3"),
        "auth_url": format!("{base}/o/oauth2/v2/auth"),
        "revoke_url": format!("{base}/revoke"),
        "token_path": "/token",
        "token_url": format!("{base}/token"),
        "control_url": format!("{base}/_fake"),
        "accounts": options.accounts,
        "client_id": CLIENT,
        "client_secret": SECRET,
        "redirect_uris": options.redirect_uris,
        "installed_client_id": INSTALLED_CLIENT,
        "installed_client_secret": SECRET,
        "project": PROJECT,
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
        events: 0,
        size: Size::Usual,
        keep_pages: false,
        redirect_uris: Vec::new(),
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
            "--events" => options.events = value.parse().map_err(|_| format!("{value} is not a number"))?,
            "--event-bytes" | "--hostile" if options.size != Size::Usual => {
                return Err("the events have one size: --event-bytes or --hostile, once".to_owned());
            }
            "--event-bytes" => options.size = Size::of_bytes(&value)?,
            "--hostile" if value == "yes" => options.size = Size::Hostile,
            "--hostile" => return Err(format!("--hostile is yes or left away, not {value}")),
            "--keep-pages" if value == "yes" => options.keep_pages = true,
            "--keep-pages" => return Err(format!("--keep-pages is yes or left away, not {value}")),
            "--redirect-uri" => options.redirect_uris.push(value),
            "--key-file" => options.key_file = Some(PathBuf::from(value)),
            _ => return Err(format!("{name} is not an option")),
        }
    }
    if options.accounts.is_empty() {
        options.accounts = vec!["alice@example.com".to_owned(), "bob@example.com".to_owned()];
    }
    if options.redirect_uris.is_empty() {
        options.redirect_uris = vec![REDIRECT_URI.to_owned()];
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
        assert_eq!(read("").unwrap().unwrap().redirect_uris, [REDIRECT_URI]);
        let own =
            read("--redirect-uri https://crm.test/a --redirect-uri=https://crm.test/b").unwrap().unwrap();
        assert_eq!(own.redirect_uris, ["https://crm.test/a", "https://crm.test/b"]);
        assert_eq!(read("--events 12").unwrap().unwrap().events, 12);
        assert!(read("--events many").is_err());
        assert_eq!(read("--event-bytes 0").unwrap().unwrap().size, Size::Usual);
        assert_eq!(read("--event-bytes=4000").unwrap().unwrap().size, Size::Bytes(4000));
        assert_eq!(read("--hostile yes").unwrap().unwrap().size, Size::Hostile);
        for (refused, why) in [
            ("--event-bytes 50", "2000 to 9000"),
            ("--event-bytes 10000", "2000 to 9000"),
            ("--event-bytes 4kB", "4kB is not a number"),
            ("--hostile no", "yes or left away"),
            ("--event-bytes 4000 --hostile yes", "one size"),
        ] {
            let said = read(refused).err().unwrap_or_default();
            assert!(said.contains(why), "{refused}: {said}");
        }
        assert!(read("--keep-pages yes").unwrap().unwrap().keep_pages);
        assert!(read("--keep-pages maybe").is_err());
    }
}
