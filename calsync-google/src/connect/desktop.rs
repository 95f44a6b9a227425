//! Consent on the machine itself: a desktop client, whose redirect goes to the loopback.
//!
//! A listener on 127.0.0.1, at a port that the system chooses, waits for one callback and closes (RFC 8252, section 7.3). It answers the
//! browser with a plain page that says how it went. Other requests (a browser asks for an icon) are answered with nothing and do not
//! end the wait; the state decides what counts, as with any callback.

use super::{Connections, Consent, ConsentPage, Outcome, RedirectUri};
use calsync_core::provider::Effort;
use calsync_core::{Error, ErrorKind, Result, Secret, Tenant};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Longest head of a request that is read, in bytes.
const HEAD_MAX: usize = 16 * 1024;
/// How long a browser may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the person may take; longer than the state lasts, so that it is the state that says so.
const WAIT: Duration = Duration::from_secs(11 * 60);

/// A listener that waits for the browser to come back.
#[derive(Debug)]
pub struct Loopback {
    listener: TcpListener,
    session: Secret,
}

impl Connections {
    /// Begins a consent on this machine, with a desktop client: open the page's address in a browser here, then [`Loopback::wait`]. The
    /// redirect URI is the loopback's, whatever is configured. Where the browser is on another machine, it ends at an address that
    /// begins with `http://127.0.0.1`; pasted into [`Connections::finish`] as it stands, with the same session, it does as well.
    ///
    /// # Errors
    /// As [`Connections::begin`], and when no port of the loopback can be listened at.
    pub async fn begin_here(&self, tenant: &Tenant, consent: Consent) -> Result<(ConsentPage, Loopback)> {
        let closed =
            |e| Error::new(ErrorKind::Config, "no port of the loopback can be listened at").caused_by(e);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(closed)?;
        let port = listener.local_addr().map_err(closed)?.port();
        let redirect = RedirectUri::new(format!("http://127.0.0.1:{port}/"))?;
        let session = consent.session();
        let page = self.begin(tenant, &consent.redirect(redirect)).await?;
        Ok((page, Loopback { listener, session }))
    }
}

impl Loopback {
    /// Waits until the browser comes back, and says in it how it went.
    ///
    /// # Errors
    /// As [`Connections::finish`]; and [`ErrorKind::Limit`] when nobody came for eleven minutes.
    pub async fn wait(self, connections: &Connections, effort: &Effort) -> Result<Outcome> {
        let clock = connections.shared.clock.clone();
        let late = clock.sleep(WAIT);
        tokio::pin!(late);
        loop {
            let (mut browser, _) = tokio::select! {
                came = self.listener.accept() => came
                    .map_err(|e| Error::new(ErrorKind::Unavailable, "the loopback cannot be listened at").caused_by(e))?,
                () = &mut late => {
                    return Err(Error::new(ErrorKind::Limit, "nobody came back from Google's page in time")
                        .cure("Begin again."));
                }
            };
            let head = tokio::select! {
                head = head(&mut browser) => head,
                () = clock.sleep(PATIENCE) => None,
            };
            let Some(query) = head.as_deref().and_then(callback) else {
                say(&mut browser, "404 Not Found", "Nothing is here.").await;
                continue;
            };
            let outcome = connections.finish(query, self.session.reveal(), effort).await;
            match &outcome {
                Ok(Outcome::Connected(connected)) => {
                    say(
                        &mut browser,
                        "200 OK",
                        &format!("{} is connected. You can close this page.", connected.account),
                    )
                    .await;
                }
                Ok(Outcome::NotConnected { refusal, tenant: None, .. }) => {
                    // Not what was waited for: whoever asked for it, it does not end the wait.
                    say(&mut browser, "400 Bad Request", &refusal.explain()).await;
                    continue;
                }
                Ok(Outcome::NotConnected { refusal, .. }) => {
                    say(&mut browser, "200 OK", &refusal.explain()).await
                }
                Err(error) => say(&mut browser, "502 Bad Gateway", &error.to_string()).await,
            }
            return outcome;
        }
    }
}

/// The head of a request, up to its empty line.
async fn head(browser: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut piece = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = browser.read(&mut piece).await.ok()?;
        if read == 0 || head.len() + read > HEAD_MAX {
            return None;
        }
        head.extend_from_slice(&piece[..read]);
    }
    String::from_utf8(head).ok()
}

/// The query of a request that can be the callback.
fn callback(head: &str) -> Option<&str> {
    let mut line = head.lines().next()?.split(' ');
    let (method, target) = (line.next()?, line.next()?);
    let (path, query) = target.split_once('?')?;
    (method == "GET" && path == "/" && query.contains("state=")).then_some(query)
}

/// Answers with a page; a browser that is gone already misses it.
async fn say(browser: &mut TcpStream, status: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let page = format!("<!doctype html><meta charset=\"utf-8\"><title>Google Calendar</title><p>{text}</p>");
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
         Referrer-Policy: no-referrer\r\nContent-Security-Policy: default-src 'none'\r\nConnection: close\r\n\r\n{page}",
        page.len()
    );
    if browser.write_all(answer.as_bytes()).await.is_ok() {
        _ = browser.shutdown().await;
    }
}

#[cfg(test)]
mod tests {
    use super::callback;

    #[test]
    fn only_a_get_of_the_root_with_a_state_can_be_the_callback() {
        assert_eq!(callback("GET /?state=a&code=b HTTP/1.1\r\nHost: x\r\n\r\n"), Some("state=a&code=b"));
        for head in [
            "GET /favicon.ico HTTP/1.1\r\n\r\n",
            "GET /favicon.ico?state=a HTTP/1.1\r\n\r\n",
            "POST /?state=a&code=b HTTP/1.1\r\n\r\n",
            "GET /?code=b HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "\r\n\r\n",
            "",
        ] {
            assert_eq!(callback(head), None, "{head}");
        }
    }
}
