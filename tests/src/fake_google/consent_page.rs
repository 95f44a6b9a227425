//! The pages of the consent endpoint as a browser gets them: small forms without script or style.
//!
//! A page carries the request, the account and its own name in one sealed field, so that no page can be answered that
//! was not shown. Names of fields and buttons are part of the fake's interface: `account`, `do` (`continue`, `back`,
//! `allow`, `cancel`), `granted` (one for each box), `limited`. Boxes come unticked.

use chrono::{DateTime, Utc};

use super::FakeGoogle;
use super::consent::{Ticked, View};
use super::incoming::{Incoming, form};
use super::reply::Reply;
use super::scope::is_sign_in;
use super::screens::{ErrorPage, ScreenAnswer};
use super::seal;

/// Accounts that get a button of their own; others are typed in.
const BUTTONS_MAX: usize = 20;

impl FakeGoogle {
    pub(crate) fn authorize(&mut self, now: DateTime<Utc>, incoming: &Incoming) -> Reply {
        if incoming.method == "GET" {
            let query = &incoming.query_text;
            let view = self.look(now, query, None, false);
            return self.page(query, view);
        }
        let fields = form(&String::from_utf8_lossy(&incoming.body));
        let find = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let parts = find("page").and_then(|page| seal::open("consent page", page));
        let Some([query, email, stage]) = parts.as_deref() else {
            let page =
                ErrorPage::new(400, "invalid_request", "The form does not answer a page of the fake Google.");
            return self.page("", View::Error(page));
        };
        let pressed = find("do").unwrap_or_default();
        let view = match (stage.as_str(), pressed) {
            ("accounts", _) => self.look(now, query, Some(find("account").unwrap_or_default()), false),
            ("warning", "continue") => {
                self.answered(ScreenAnswer::Continued);
                self.look(now, query, Some(email), true)
            }
            ("consent", "allow") => {
                let granted = fields.iter().filter(|(name, _)| name == "granted");
                let scopes = granted.map(|(_, scope)| scope.clone()).collect();
                self.allow(now, query, email, &Ticked { scopes, limited: find("limited").is_some() })
            }
            ("warning", "back") | ("consent", "cancel") => self.turn_back(query),
            _ => View::Error(ErrorPage::new(400, "invalid_request", "The page has no such button.")),
        };
        self.page(query, view)
    }

    fn page(&self, query: &str, view: View) -> Reply {
        let sealed = |email: &str, stage: &str| {
            let parts = [query.to_owned(), email.to_owned(), stage.to_owned()];
            format!("<input type=\"hidden\" name=\"page\" value=\"{}\">", seal::seal("consent page", &parts))
        };
        let button = |name: &str, value: &str, text: &str| {
            format!("<button name=\"{name}\" value=\"{}\">{}</button>", escape(value), escape(text))
        };
        let post =
            |inside: String| format!("<form method=\"post\" action=\"/o/oauth2/v2/auth\">{inside}</form>");
        match view {
            View::Redirect(url) => Reply::empty(302).with("location", url),
            View::Error(page) => {
                let text = format!(
                    "<p>{}</p>\n<p>Error {}: {}</p>",
                    escape(&page.message),
                    page.status,
                    escape(&page.error)
                );
                let mut reply = html(page.status, "Access blocked", &text);
                reply.reason = Some(page.error);
                reply
            }
            View::Accounts => {
                let people = self.accounts.values().filter(|account| !account.service).take(BUTTONS_MAX);
                let buttons: String =
                    people.map(|account| button("account", &account.email, &account.email)).collect();
                let typed = "<input type=\"email\" name=\"account\"><button>Next</button>";
                let hidden = sealed("", "accounts");
                let text = post(format!("{hidden}{buttons}")) + &post(format!("{hidden}{typed}"));
                html(200, "Choose an account", &text)
            }
            View::Warning { email, testing } => {
                let text = if testing {
                    "You've been given access to an app that's currently being tested. You should only continue if you \
                     know the developer that invited you."
                } else {
                    "The app is requesting access to sensitive info in your Google Account. Until the developer \
                     verifies this app with Google, you shouldn't use it."
                };
                let buttons = button("do", "continue", "Continue") + &button("do", "back", "Back to safety");
                let text = format!("<p>{text}</p>{}", post(sealed(&email, "warning") + &buttons));
                html(200, "Google hasn't verified this app", &text)
            }
            View::Consent { email, scopes, ticks } => {
                let lines: String = scopes
                    .iter()
                    .map(|scope| {
                        let scope_text = escape(scope);
                        if ticks && !is_sign_in(scope) {
                            let tick =
                                format!("<input type=\"checkbox\" name=\"granted\" value=\"{scope_text}\">");
                            format!("<li><label>{tick} {scope_text}</label></li>")
                        } else {
                            format!("<li>{scope_text}</li>")
                        }
                    })
                    .collect();
                let limited = match self.behaviour.time_limited_access_seconds {
                    Some(seconds) => format!(
                        "<label><input type=\"checkbox\" name=\"limited\" value=\"yes\"> only for {seconds} s</label>"
                    ),
                    None => String::new(),
                };
                let buttons = button("do", "allow", "Continue") + &button("do", "cancel", "Cancel");
                let inside = format!("{}<ul>{lines}</ul>{limited}{buttons}", sealed(&email, "consent"));
                let text = format!("<p>{}</p>{}", escape(&email), post(inside));
                html(200, "The app wants access to your Google Account", &text)
            }
        }
    }
}

fn html(status: u16, title: &str, text: &str) -> Reply {
    let body =
        format!("<!DOCTYPE html>\n<html lang=\"en\">\n<title>{title}</title>\n<h1>{title}</h1>\n{text}\n");
    // Google's pages refuse to be framed.
    Reply::text(status, "text/html; charset=UTF-8", &body).with("x-frame-options", "DENY".to_owned())
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}
