//! The mail that asks an agent to connect, and the words of the page that they see afterwards, in English, Dutch and Portuguese.
//!
//! Google's screens frighten people who were not told of them: one says that the application is not verified, one has boxes that look
//! optional. And a mail with a link that leads to a sign-in looks like fraud, because fraud looks like it. So the mail says beforehand what
//! Google will ask, which account to choose, that the CRM asks for no password, and on which address the password may be given.
//!
//! The text is wrapped at [`LINE_CHARS_MAX`] with the link on a line of its own, whole; a word that is longer than a line, such as an
//! address, is left whole too. The HTML is the same, has nothing that is loaded from elsewhere, and shows the address that its link leads
//! to. Values are somebody else's text: they end no line and open no tag. A link opens a consent, so that neither a [`Letter`] nor a
//! [`Mail`] prints it.
//!
//! Nothing is sent here, and no link is made: that is for the host and for what makes invitations.

mod dutch;
mod english;
mod portuguese;
mod seen;
#[cfg(test)]
mod tests;
mod words;

pub use seen::{Page, Seen, Showing};

use crate::scope::Feature;
use crate::text::{fill, html, shown, wrap};
use calsync_core::hours::Words as Names;
use calsync_core::{Error, ErrorKind, Result, Secret, Zone};
use chrono::{DateTime, Datelike, NaiveDateTime, Timelike, Utc};
use serde::{Deserialize, Serialize};
use std::fmt::{self, Write as _};

/// How many characters a line of the text has at most, links and addresses apart.
pub const LINE_CHARS_MAX: usize = 76;
/// How many characters of the CRM's name and of a person's are shown.
pub const APP_CHARS_MAX: usize = 60;
/// How many characters of an address to ask at are shown.
const SUPPORT_CHARS_MAX: usize = 254;
/// How long a link may be: what browsers and mail readers take.
const LINK_BYTES_MAX: usize = 2048;

/// A language that ships.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Dutch.
    Dutch,
    /// Portuguese, as in Brazil.
    Portuguese,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::English, Self::Dutch, Self::Portuguese];

    /// The language of a tag such as `nl-BE` or `pt_BR`; nothing for one that does not ship.
    pub fn from_tag(tag: &str) -> Option<Self> {
        let language = tag.trim().split(['-', '_']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|known| known.code().eq_ignore_ascii_case(language))
    }

    /// Its tag, as in `<html lang>`.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Portuguese => "pt-BR",
            other => other.code(),
        }
    }

    const fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Dutch => "nl",
            Self::Portuguese => "pt",
        }
    }

    /// The names of days and months.
    const fn names(self) -> Names {
        match self {
            Self::English => Names::english(),
            Self::Dutch => Names::dutch(),
            Self::Portuguese => Names::portuguese(),
        }
    }
}

/// How the application is registered with Google, as far as its screens differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Publishing {
    /// External, status Testing: Google warns, and offers "Continue".
    Testing,
    /// External, published and not verified: Google warns, and hides the way on behind "Advanced".
    Unverified,
    /// External and verified: no warning.
    Verified,
    /// Internal: no warning.
    Internal,
}

/// What an invitation says.
#[derive(Clone, Debug)]
pub struct Letter {
    app_name: String,
    agent_name: Option<String>,
    address: String,
    link: Secret,
    expires: DateTime<Utc>,
    zone: Zone,
    features: Vec<Feature>,
    publishing: Option<Publishing>,
    support: Option<String>,
}

/// A mail, without its envelope. The host's mailer encodes the subject and sends both bodies, as `multipart/alternative`.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mail {
    /// The subject, on one line.
    pub subject: String,
    /// The body as plain text in UTF-8, lines ended by `\n`.
    pub text: String,
    /// The same as a whole HTML document in UTF-8.
    pub html: String,
}

impl fmt::Debug for Mail {
    /// Without the bodies, as both have the link.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail").field("subject", &self.subject).finish_non_exhaustive()
    }
}

impl Letter {
    /// An invitation of this CRM, for this Google account, with a link that works until then.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`]: the name is empty; the address is none; or the link is not one that may go into a mail, which is `https`
    /// (`http` to the machine itself) with neither blanks nor a user in it, and up to 2,048 bytes.
    pub fn new(app_name: &str, address: &str, link: &str, expires: DateTime<Utc>) -> Result<Self> {
        let refuse =
            |what: &'static str, cure: &'static str| Err(Error::new(ErrorKind::Invalid, what).cure(cure));
        let app_name = shown(app_name, APP_CHARS_MAX);
        if app_name.is_empty() {
            return refuse(
                "an invitation needs the name of the CRM",
                "Give the name that agents know it by.",
            );
        }
        if !is_address(address) {
            return refuse(
                "an invitation needs the address of a Google account",
                "Give one address and nothing around it.",
            );
        }
        // The link is not named in the error: it may be what opens a consent.
        if !may_be_mailed(link) {
            return refuse(
                "the link of an invitation cannot go into a mail",
                "Give an https address without blanks.",
            );
        }
        Ok(Self {
            app_name,
            agent_name: None,
            address: address.to_owned(),
            link: Secret::new(link),
            expires,
            zone: Zone::utc(),
            features: vec![Feature::WriteEvents],
            publishing: None,
            support: None,
        })
    }

    /// The agent's name. Default: a salutation without one.
    pub fn agent_name(mut self, name: &str) -> Self {
        self.agent_name = Some(shown(name, APP_CHARS_MAX)).filter(|name| !name.is_empty());
        self
    }

    /// The zone in which the link's end is told, with its name. Default: UTC.
    pub fn zone(mut self, zone: Zone) -> Self {
        self.zone = zone;
        self
    }

    /// What will be asked for. Default, and for none: [`Feature::WriteEvents`].
    pub fn features(mut self, features: &[Feature]) -> Self {
        self.features = features.to_vec();
        self
    }

    /// How the application is registered. Default: not known; the mail then says what to do if Google warns.
    pub fn publishing(mut self, publishing: Publishing) -> Self {
        self.publishing = Some(publishing);
        self
    }

    /// Whom to ask. Default: nobody is named.
    pub fn support(mut self, address: &str) -> Self {
        self.support = Some(shown(address, SUPPORT_CHARS_MAX)).filter(|address| !address.is_empty());
        self
    }

    /// The mail in this language.
    pub fn mail(&self, language: Language) -> Mail {
        let subject = fill(words::of(language).subject, &[("app", &self.app_name)]);
        let blocks = self.blocks(language);
        let html = as_html(&blocks, language, &subject);
        Mail { text: as_text(&blocks), html, subject }
    }

    fn blocks(&self, language: Language) -> Vec<Block> {
        let words = words::of(language);
        let when = when(self.expires, &self.zone, language);
        let values = [("app", self.app_name.as_str()), ("when", &when)];
        let said = |template: &str| Block::Paragraph(fill(template, &values));
        let hello = match &self.agent_name {
            Some(name) => fill(words.hello_name, &[("name", name)]),
            None => words.hello.to_owned(),
        };
        let mut items =
            vec![Item { alone: Some(self.address.clone()), ..Item::said(words.account.to_owned()) }];
        let warning = match self.publishing {
            Some(Publishing::Testing) => Some(words.testing),
            Some(Publishing::Unverified) => Some(words.unverified),
            Some(Publishing::Verified | Publishing::Internal) => None,
            None => Some(words.perhaps),
        };
        items.extend(warning.map(|warning| Item::said(fill(warning, &values))));
        let list = ask(&self.features).into_iter().map(words.feature).collect();
        items.push(Item { list, ..Item::said(fill(words.boxes, &values)) });
        let mut blocks = vec![
            Block::Paragraph(hello),
            said(words.intro),
            said(words.open),
            Block::Link(self.link.reveal().to_owned()),
            said(words.once),
            said(words.heading),
            Block::Items(items),
            said(words.after),
            said(words.password),
            said(words.withdraw),
            said(words.ignore),
        ];
        if let Some(support) = &self.support {
            blocks.push(Block::Paragraph(fill(words.questions, &[("support", support)])));
        }
        blocks
    }
}

/// One address, with nothing around it, that may stand in a text.
fn is_address(address: &str) -> bool {
    let parts = address
        .split_once('@')
        .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'));
    parts && address.len() <= 254 && shown(address, 254) == address && !address.contains([' ', '<', '>', ','])
}

/// Whether a link leads to a page, by `https` or on this machine, and stands whole in a line and in an attribute.
fn may_be_mailed(link: &str) -> bool {
    let plain = link.bytes().all(|b| b.is_ascii_graphic() && !b"<>\"'`\\".contains(&b));
    if !plain || link.len() > LINK_BYTES_MAX {
        return false;
    }
    let Ok(uri) = link.parse::<http::Uri>() else { return false };
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return false };
    let host = authority.host();
    let own = host.eq_ignore_ascii_case("localhost")
        || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    !host.is_empty() && !authority.as_str().contains('@') && (scheme == "https" || (scheme == "http" && own))
}

/// What to name of the features: none that another one carries along, in the order of [`Feature::ALL`].
fn ask(features: &[Feature]) -> Vec<Feature> {
    let has = |feature| features.contains(&feature);
    let carried = |feature| match feature {
        Feature::ReadEvents => has(Feature::WriteEvents),
        Feature::ListCalendars => has(Feature::Subscribe),
        _ => false,
    };
    if features.is_empty() {
        return vec![Feature::WriteEvents];
    }
    Feature::ALL.into_iter().filter(|feature| has(*feature) && !carried(*feature)).collect()
}

/// A moment, by the clock of the zone. Where the zone data of this machine does not know the zone, by UTC.
fn when(instant: DateTime<Utc>, zone: &Zone, language: Language) -> String {
    let (wall, zone): (NaiveDateTime, &str) = match zone.wall(instant) {
        Ok(wall) => (wall.time, zone.as_str()),
        Err(_) => (instant.naive_utc(), "UTC"),
    };
    let (words, names) = (words::of(language), language.names());
    let weekday = &names.weekdays[wall.weekday().num_days_from_monday() as usize];
    let month = &names.months[wall.month0() as usize];
    let (day, year) = (wall.day().to_string(), wall.year().to_string());
    let date = fill(words.date, &[("weekday", weekday), ("day", &day), ("month", month), ("year", &year)]);
    let time = format!("{:02}:{:02}", wall.hour(), wall.minute());
    fill(words.moment, &[("date", &date), ("time", &time), ("zone", zone)])
}

/// A part of the mail, before it is text or HTML.
enum Block {
    Paragraph(String),
    Link(String),
    Items(Vec<Item>),
}

/// One of the numbered parts.
struct Item {
    text: String,
    /// Stands by itself after the text.
    alone: Option<String>,
    list: Vec<&'static str>,
}

impl Item {
    fn said(text: String) -> Self {
        Self { text, alone: None, list: Vec::new() }
    }
}

fn as_text(blocks: &[Block]) -> String {
    let mut text = String::new();
    for (at, block) in blocks.iter().enumerate() {
        if at > 0 {
            text.push('\n');
        }
        match block {
            Block::Paragraph(said) => wrap(&mut text, said, "", "", LINE_CHARS_MAX),
            Block::Link(link) => {
                text.push_str(link);
                text.push('\n');
            }
            Block::Items(items) => {
                for (n, item) in items.iter().enumerate() {
                    wrap(&mut text, &item.text, &format!("{}. ", n + 1), "   ", LINE_CHARS_MAX);
                    if let Some(alone) = &item.alone {
                        let _ = writeln!(text, "   {alone}");
                    }
                    for said in &item.list {
                        wrap(&mut text, said, "   - ", "     ", LINE_CHARS_MAX);
                    }
                }
            }
        }
    }
    text
}

/// The mail as HTML of the plainest kind: no sheet of styles, no picture, no script, nothing that is fetched.
fn as_html(blocks: &[Block], language: Language, subject: &str) -> String {
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"{}\">\n<head><meta charset=\"utf-8\"><title>{}</title></head>\n<body>\n",
        language.tag(),
        html(subject),
    );
    for block in blocks {
        // Writing to a string does not fail.
        let _ = match block {
            Block::Paragraph(said) => writeln!(page, "<p>{}</p>", html(said)),
            Block::Link(link) => {
                let link = html(link);
                writeln!(page, "<p><a href=\"{link}\">{link}</a></p>")
            }
            Block::Items(items) => {
                page.push_str("<ol>\n");
                for item in items {
                    let _ = write!(page, "<li>{}", html(&item.text));
                    if let Some(alone) = &item.alone {
                        let _ = write!(page, "<br><strong>{}</strong>", html(alone));
                    }
                    if !item.list.is_empty() {
                        page.push_str("\n<ul>\n");
                        for said in &item.list {
                            let _ = writeln!(page, "<li>{}</li>", html(said));
                        }
                        page.push_str("</ul>\n");
                    }
                    page.push_str("</li>\n");
                }
                page.push_str("</ol>\n");
                Ok(())
            }
        };
    }
    page.push_str("</body>\n</html>\n");
    page
}
