//! A person's grant: a refresh token of an OAuth client.
//!
//! The request is made and read by the `oauth2` crate and travels through calsync's own sender, so that it is bounded,
//! counted and repeated like every other. A refresh normally brings no new refresh token; where it does, the new one takes
//! the old one's place (RFC 6749, section 6). A grant that Google calls invalid is dead for good: that is remembered, and
//! later calls fail at once instead of knocking again.

use super::refusal::{DEAD, DEAD_CURE, Who, refusal};
use super::{TokenCache, lock};
use crate::call::token::{Forward, Refused};
use crate::scope::Scopes;
use async_trait::async_trait;
use calsync_core::clock::Clock;
use calsync_core::http::{Sender, TokenSource};
use calsync_core::planted::{self, Fault};
use calsync_core::provider::Effort;
use calsync_core::{Error, ErrorKind, Result, Secret};
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::{
    AsyncHttpClient, AuthType, AuthorizationCode, ClientId, ClientSecret, EndpointNotSet, EndpointSet,
    ExtraTokenFields, HttpRequest, HttpResponse, PkceCodeVerifier, RedirectUrl, RefreshToken,
    RequestTokenError, StandardRevocableToken, StandardTokenResponse, TokenResponse, TokenUrl,
};
use serde::{Deserialize, Serialize};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// An OAuth client of a Google Cloud project.
#[derive(Clone, Debug)]
pub struct OAuthClient {
    /// Its id, for example `1234-abcd.apps.googleusercontent.com`.
    pub id: String,
    /// Its secret.
    pub secret: Secret,
}

/// Tokens from a refresh token. The account is the one that gave the grant, whoever the subject is.
#[derive(Debug)]
pub(crate) struct RefreshTokens {
    client: OAuthClient,
    sender: Sender,
    cache: TokenCache,
    grant: Mutex<Grant>,
}

#[derive(Debug)]
struct Grant {
    token: Secret,
    dead: bool,
}

impl RefreshTokens {
    pub(crate) fn new(client: OAuthClient, token: Secret, sender: Sender, clock: Arc<dyn Clock>) -> Self {
        Self {
            client,
            sender,
            cache: TokenCache::new(clock),
            grant: Mutex::new(Grant { token, dead: false }),
        }
    }

    async fn ask(&self, effort: &Effort) -> Result<(Secret, Duration)> {
        let (token, lives, _) = self.got(effort).await?;
        Ok((token, lives))
    }

    /// An access token, and the scopes that the answer says it has.
    pub(crate) async fn look(&self, effort: &Effort) -> Result<(Secret, Option<Scopes>)> {
        let (token, _, scopes) = self.got(effort).await?;
        Ok((token, scopes.map(|scopes| Scopes::parse(&scopes))))
    }

    async fn got(&self, effort: &Effort) -> Result<(Secret, Duration, Option<String>)> {
        let token = {
            let grant = lock(&self.grant);
            if grant.dead {
                return Err(Error::new(ErrorKind::Unauthorized, DEAD)
                    .reason("invalid_grant")
                    .cure(DEAD_CURE));
            }
            grant.token.clone()
        };
        match refresh(&self.sender, &self.client, &token, effort).await? {
            Answered::Tokens { access, refresh: rotated, lives, scopes, .. } => {
                if let Some(rotated) = rotated {
                    lock(&self.grant).token = rotated;
                }
                Ok((access, lives.unwrap_or(Duration::from_secs(1800)), scopes))
            }
            Answered::Refused(refused) => {
                lock(&self.grant).dead |= refused.code == "invalid_grant";
                Err(refusal(&refused, &Who::Refresh { client_id: &self.client.id }))
            }
        }
    }
}

/// What the token endpoint says to a refresh token or a code.
#[derive(Debug)]
pub(crate) enum Answered {
    /// Tokens.
    Tokens {
        access: Secret,
        /// A refresh token, where there is a new one.
        refresh: Option<Secret>,
        lives: Option<Duration>,
        /// The granted scopes, where the answer names them.
        scopes: Option<String>,
        /// How long the grant lasts, where the person limited it.
        grant_lives: Option<Duration>,
    },
    /// A refusal that is no matter of waiting.
    Refused(Refused),
}

/// What Google adds to the answer of RFC 6749.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct GoogleFields {
    #[serde(default)]
    refresh_token_expires_in: Option<u64>,
}

impl ExtraTokenFields for GoogleFields {}

type Answer = StandardTokenResponse<GoogleFields, BasicTokenType>;
type Client<Token> = oauth2::Client<
    BasicErrorResponse,
    Answer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    Token,
>;

fn client(sender: &Sender, of: &OAuthClient) -> Result<Client<EndpointSet>> {
    let url = TokenUrl::new(sender.base().as_str().to_owned())
        .map_err(|_| Error::new(ErrorKind::Config, "the token endpoint's address cannot be used"))?;
    Ok(Client::new(ClientId::new(of.id.clone()))
        .set_client_secret(ClientSecret::new(of.secret.reveal().to_owned()))
        .set_auth_type(AuthType::RequestBody)
        .set_token_uri(url))
}

/// Asks for an access token with a refresh token.
pub(crate) async fn refresh(
    sender: &Sender,
    of: &OAuthClient,
    token: &Secret,
    effort: &Effort,
) -> Result<Answered> {
    let (client, http) = (client(sender, of)?, ThroughSender { sender, effort });
    let token = RefreshToken::new(token.reveal().to_owned());
    answered(client.exchange_refresh_token(&token).request_async(&http).await)
}

/// Asks for tokens with the code that came back from Google's page. A code is good once: an answer that was lost cannot be
/// asked for again.
pub(crate) async fn exchange(
    sender: &Sender,
    of: &OAuthClient,
    code: &Secret,
    verifier: &Secret,
    redirect: &str,
    effort: &Effort,
) -> Result<Answered> {
    let url = RedirectUrl::new(redirect.to_owned()).map_err(|_| {
        Error::new(ErrorKind::Config, "the redirect URI cannot be used").with("address", redirect)
    })?;
    let (client, http) = (client(sender, of)?.set_redirect_uri(url), ThroughSender { sender, effort });
    let code = AuthorizationCode::new(code.reveal().to_owned());
    let verifier = PkceCodeVerifier::new(verifier.reveal().to_owned());
    let mut request = client.exchange_code(code);
    if !planted::on(Fault::VerifierNotSent) {
        request = request.set_pkce_verifier(verifier);
    }
    answered(request.request_async(&http).await)
}

fn answered(answer: Result<Answer, RequestTokenError<Error, BasicErrorResponse>>) -> Result<Answered> {
    match answer {
        Ok(answer) => {
            let scopes = answer.scopes().map(|scopes| {
                let scopes: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
                scopes.join(" ")
            });
            Ok(Answered::Tokens {
                access: Secret::new(answer.access_token().secret().as_str()),
                refresh: answer.refresh_token().map(|token| Secret::new(token.secret().as_str())),
                lives: answer.expires_in(),
                scopes,
                grant_lives: answer.extra_fields().refresh_token_expires_in.map(Duration::from_secs),
            })
        }
        Err(RequestTokenError::Request(error)) => Err(error),
        Err(RequestTokenError::ServerResponse(answer)) => Ok(Answered::Refused(Refused {
            status: 400,
            code: answer.error().as_ref().to_owned(),
            description: answer.error_description().cloned().unwrap_or_default(),
            date: None,
        })),
        Err(RequestTokenError::Parse(_, body)) if planted::on(Fault::AnswerQuoted) => {
            Err(Error::new(ErrorKind::Protocol, String::from_utf8_lossy(&body).into_owned()))
        }
        // These two hold the body.
        Err(RequestTokenError::Parse(..) | RequestTokenError::Other(_)) => {
            Err(Error::new(ErrorKind::Protocol, "the token endpoint's answer makes no sense").later())
        }
    }
}

#[async_trait]
impl TokenSource for RefreshTokens {
    async fn token(&self, _: &str, effort: &Effort) -> Result<Secret> {
        self.cache.get("", || self.ask(effort)).await
    }

    fn refused(&self, _: &str, token: &Secret) {
        self.cache.forget("", token);
    }
}

/// The `oauth2` crate's way to the network.
struct ThroughSender<'a> {
    sender: &'a Sender,
    effort: &'a Effort,
}

impl<'c> AsyncHttpClient<'c> for ThroughSender<'_> {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Error>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move { self.sender.send(&Forward(request), "", self.effort).await })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::tests_script::Script;
    use calsync_core::clock::{ManualClock, SeededEntropy};
    use calsync_core::http::BaseUrl;

    fn world(answers: &[(u16, &str)]) -> (Arc<Script>, Arc<ManualClock>, RefreshTokens) {
        crate::captured::begin();
        let clock = Arc::new(ManualClock::new("2026-11-22T10:00:00Z".parse().expect("an instant")));
        let script = Script::new(answers);
        let base = BaseUrl::new("https://oauth2.googleapis.com/token").expect("an address");
        let sender = Sender::new(base, script.clone(), clock.clone(), Arc::new(SeededEntropy::new(1)));
        let client = OAuthClient {
            id: "1-a.apps.googleusercontent.com".into(),
            secret: Secret::new("client-neversay"),
        };
        let tokens = RefreshTokens::new(client, Secret::new("refresh-neversay"), sender, clock.clone());
        (script, clock, tokens)
    }

    #[tokio::test]
    async fn a_refresh_sends_the_client_in_the_body_and_keeps_the_token_until_it_is_stale() {
        let (script, clock, tokens) = world(&[
            (200, r#"{"access_token":"ya29.neversay-a","expires_in":"3599","token_type":"Bearer"}"#),
            (200, r#"{"access_token":"ya29.neversay-b","expires_in":3599,"token_type":"Bearer"}"#),
        ]);
        let effort = Effort::default();
        for expected in ["ya29.neversay-a", "ya29.neversay-a", "ya29.neversay-b"] {
            if expected == "ya29.neversay-b" {
                clock.advance(Duration::from_secs(3599 - 225));
            }
            assert_eq!(tokens.token("amy", &effort).await.expect("a token").reveal(), expected);
        }
        let body = &script.bodies()[0];
        for part in [
            "grant_type=refresh_token",
            "refresh_token=refresh-neversay",
            "client_secret=client-neversay",
            "client_id=1-a",
        ] {
            assert!(body.contains(part), "{body}");
        }
        assert_eq!(effort.requests(), 2);
    }

    #[tokio::test]
    async fn a_new_refresh_token_takes_the_old_one_s_place() {
        let (script, _, tokens) = world(&[
            (
                200,
                r#"{"access_token":"neversay-a","expires_in":1,"token_type":"Bearer","refresh_token":"neversay-second"}"#,
            ),
            (200, r#"{"access_token":"neversay-b","expires_in":1,"token_type":"Bearer"}"#),
            (200, r#"{"access_token":"neversay-c","expires_in":1,"token_type":"Bearer"}"#),
        ]);
        for _ in 0..3 {
            tokens.token("amy", &Effort::default()).await.expect("a token");
        }
        let bodies = script.bodies();
        assert!(bodies[0].contains("refresh_token=refresh-neversay"));
        assert!(bodies[1..].iter().all(|body| body.contains("refresh_token=neversay-second")));
    }

    #[tokio::test]
    async fn a_dead_grant_is_asked_for_once_and_never_again() {
        let dead = r#"{"error":"invalid_grant","error_description":"Token has been expired or revoked."}"#;
        let (script, _, tokens) = world(&[(400, dead)]);
        for _ in 0..3 {
            let error = tokens.token("amy", &Effort::default()).await.expect_err("dead");
            assert_eq!((error.kind(), error.reason_code()), (ErrorKind::Unauthorized, Some("invalid_grant")));
            assert!(error.cure_text().is_some_and(|cure| cure.contains("7 days")));
        }
        assert_eq!(script.bodies().len(), 1);
    }

    #[tokio::test]
    async fn a_failure_that_passes_is_repeated_and_kills_nothing() {
        let (script, _, tokens) = world(&[
            (503, ""),
            (200, r#"{"access_token":"ya29.neversay-a","expires_in":3599,"token_type":"Bearer"}"#),
        ]);
        assert_eq!(
            tokens.token("amy", &Effort::default()).await.expect("a token").reveal(),
            "ya29.neversay-a"
        );
        assert_eq!(script.bodies().len(), 2);
    }

    #[tokio::test]
    async fn c18_answers_that_make_no_sense_do_not_show_in_errors() {
        for body in [r#"{"access_token":7,"neversay":"neversay"}"#, r#"{"token":"neversay"}"#] {
            let (_, _, tokens) = world(&[(200, body)]);
            let error = tokens.token("amy", &Effort::default()).await.expect_err("no token");
            let printed = format!("{error} {error:?} {tokens:?}");
            assert!(!printed.contains("neversay"), "{printed}");
        }
    }
}
