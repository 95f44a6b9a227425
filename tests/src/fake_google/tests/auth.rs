//! Tokens: who gets one, what it opens, and in which words the rest is refused.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::*;
use crate::marked::CLIENT_SECRET;

const ROBOT: &str = "robot@project.iam.gserviceaccount.com";
const NUMBER: &str = "112233445566778899001";

fn world() -> Client {
    let mut client = Client::new();
    client.token.clear();
    client.fake.set_base_url("http://127.0.0.1:4112/");
    client.fake.service_account(ROBOT, NUMBER, KEY).unwrap();
    client.fake.delegate(NUMBER, &["calendar.events", "calendar.calendarlist.readonly"]);
    client.fake.oauth_client("client", CLIENT_SECRET);
    client.fake.refresh_token("neversay", "client", ALICE, &["calendar.events"]);
    client
}

fn sign(header: &Value, claims: &Value) -> String {
    let text = std::str::from_utf8(KEY).unwrap();
    let base64: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
    let pair = ring::rsa::KeyPair::from_pkcs8(&STANDARD.decode(base64).unwrap()).unwrap();
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let mut signature = vec![0; pair.public().modulus_len()];
    let random = ring::rand::SystemRandom::new();
    pair.sign(&ring::signature::RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn claims(client: &Client, sub: &str) -> Value {
    let now = client.now.timestamp();
    let mut claims = json!({
        "iss": ROBOT, "aud": GOOGLE_TOKEN_URL, "iat": now, "exp": now + 3600,
        "scope": "https://www.googleapis.com/auth/calendar.events",
    });
    if !sub.is_empty() {
        claims["sub"] = json!(sub);
    }
    claims
}

fn bearer_grant(client: &mut Client, claims: &Value) -> Got {
    let assertion = sign(&json!({ "alg": "RS256", "typ": "JWT", "kid": "k" }), claims);
    token(
        client,
        &format!("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={assertion}"),
    )
}

fn token(client: &mut Client, form: &str) -> Got {
    client.with("content-type", "application/x-www-form-urlencoded");
    client.raw("POST", "/token", form.to_owned())
}

fn refused(got: &Got) -> (u16, String, String) {
    let text = |name: &str| got.body[name].as_str().unwrap_or("").to_owned();
    (got.status, text("error"), text("error_description"))
}

#[test]
fn a_refresh_token_is_exchanged_again_and_again_and_never_comes_back() {
    let mut client = world();
    let form =
        "grant_type=refresh_token&refresh_token=neversay&client_id=client&client_secret=GOCSPX-neversay";
    let first = token(&mut client, form).ok();
    let second = token(&mut client, form).ok();
    assert_ne!(first.body["access_token"], second.body["access_token"]);
    assert_eq!(first.body["expires_in"], 3599);
    assert_eq!(first.body["token_type"], "Bearer");
    assert_eq!(first.body["scope"], "https://www.googleapis.com/auth/calendar.events");
    assert_eq!(first.body.get("refresh_token"), None);
    client.token = first.text("access_token");
    assert_eq!(client.get("").status, 200);
}

#[test]
fn a_refresh_is_refused_in_googles_words() {
    let good =
        "grant_type=refresh_token&refresh_token=neversay&client_id=client&client_secret=GOCSPX-neversay";
    for (form, status, error, description) in [
        (
            good.replace("client_id=client", "client_id=other"),
            401,
            "invalid_client",
            "The OAuth client was not found.",
        ),
        (
            good.replace("=GOCSPX-neversay", "=wrong"),
            401,
            "invalid_client",
            "The provided client secret is invalid.",
        ),
        (
            good.replace("&client_secret=GOCSPX-neversay", ""),
            400,
            "invalid_request",
            "client_secret is missing.",
        ),
        (good.replace("=neversay&", "=unknown&"), 400, "invalid_grant", "Bad Request"),
        (
            good.replace("=refresh_token", "=password"),
            400,
            "unsupported_grant_type",
            "Invalid grant_type: password",
        ),
        (String::new(), 400, "invalid_request", "Required parameter is missing: grant_type"),
    ] {
        let got = token(&mut world(), &form);
        assert_eq!(refused(&got), (status, error.to_owned(), description.to_owned()), "{form}");
    }
    let mut client = world();
    client.fake.revoke_refresh_token("neversay");
    let got = token(&mut client, good);
    assert_eq!(
        refused(&got),
        (400, "invalid_grant".to_owned(), "Token has been expired or revoked.".to_owned())
    );
    let mut client = world();
    client.fake.disable_oauth_client("client", false);
    assert_eq!(refused(&token(&mut client, good)).1, "disabled_client");
}

#[test]
fn revoking_a_grant_ends_its_access_tokens() {
    let mut client = world();
    let form =
        "grant_type=refresh_token&refresh_token=neversay&client_id=client&client_secret=GOCSPX-neversay";
    client.token = token(&mut client, form).ok().text("access_token");
    client.fake.revoke_refresh_token("neversay");
    let got = client.get("");
    assert_eq!((got.status, got.reason()), (401, "authError"));
}

#[test]
fn a_signed_assertion_gives_a_token_of_the_impersonated_user() {
    let mut client = world();
    let mut with_own_audience = claims(&client, ALICE);
    with_own_audience["aud"] = json!("http://127.0.0.1:4112/token");
    bearer_grant(&mut client, &with_own_audience).ok();
    let good = claims(&client, ALICE);
    let got = bearer_grant(&mut client, &good).ok();
    assert_eq!(got.body.get("refresh_token"), None);
    client.token = got.text("access_token");
    client.call("POST", "/calendars/primary/events", event("hello", "2026-01-05")).ok();
    assert_eq!(client.fake.event(ALICE, "hello").unwrap()["creator"]["email"], ALICE);
    assert_eq!(client.fake.journal().last().unwrap().subject.as_deref(), Some(ALICE));
}

#[test]
fn an_assertion_is_refused_in_googles_words() {
    const DELEGATION: &str = "Client is unauthorized to retrieve access tokens using this method, or client not \
                              authorized for any of the scopes requested.";
    const SHORT: &str = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. \
                         Check your iat and exp values in the JWT claim.";
    let now = world().now.timestamp();
    for (name, value, status, error, description) in [
        ("sub", json!("nobody@example.com"), 400, "invalid_grant", "Invalid email or User ID"),
        ("sub", json!("alice"), 400, "invalid_grant", "Not a valid email or user ID."),
        ("sub", json!("lately@example.com"), 400, "invalid_grant", "The account has been deleted"),
        (
            "sub",
            json!("longago@example.com"),
            400,
            "invalid_request",
            "Invalid impersonation &quot;sub&quot; field.",
        ),
        ("sub", json!("restricted@example.com"), 403, "access_denied", "Account restricted"),
        ("sub", json!("off@example.com"), 403, "access_denied", "Requested client not authorized"),
        ("sub", json!("someone@gmail.com"), 401, "unauthorized_client", DELEGATION),
        ("scope", json!(SCOPE), 401, "unauthorized_client", DELEGATION),
        ("scope", json!(format!("{SCOPE}.events {SCOPE}.settings")), 401, "unauthorized_client", DELEGATION),
        (
            "scope",
            json!(format!("{SCOPE}.evnets")),
            400,
            "invalid_scope",
            "Invalid OAuth scope or ID token audience provided.",
        ),
        (
            "scope",
            json!(format!("{SCOPE}.events,{SCOPE}")),
            400,
            "invalid_scope",
            "Invalid OAuth scope or ID token audience provided.",
        ),
        ("scope", json!(""), 400, "invalid_scope", "Empty or missing scope not allowed."),
        ("iat", json!(now + 1), 400, "invalid_grant", SHORT),
        ("exp", json!(now + 3601), 400, "invalid_grant", SHORT),
        ("exp", json!(now), 400, "invalid_grant", SHORT),
        (
            "iss",
            json!("other@project"),
            400,
            "invalid_grant",
            "Invalid JWT: No valid verifier found for issuer: other@project",
        ),
        (
            "aud",
            json!("https://evil.example/token"),
            400,
            "invalid_grant",
            "Invalid JWT: Failed audience check. The right audience is https://oauth2.googleapis.com/token",
        ),
    ] {
        let mut client = world();
        for (email, state) in [
            ("lately@example.com", AccountState::DeletedLately),
            ("longago@example.com", AccountState::DeletedLongAgo),
            ("restricted@example.com", AccountState::Restricted),
            ("off@example.com", AccountState::ServiceOff),
            ("someone@gmail.com", AccountState::Active),
        ] {
            client.fake.account(email).state = state;
        }
        let mut claims = claims(&client, ALICE);
        claims[name] = value.clone();
        let got = bearer_grant(&mut client, &claims);
        assert_eq!(refused(&got), (status, error.to_owned(), description.to_owned()), "{name}: {value}");
    }
}

#[test]
fn a_tampered_assertion_has_an_invalid_signature() {
    let mut client = world();
    let claims = claims(&client, ALICE);
    let good = sign(&json!({ "alg": "RS256" }), &claims);
    let none = sign(&json!({ "alg": "none" }), &claims);
    let mut parts: Vec<&str> = good.split('.').collect();
    let header = URL_SAFE_NO_PAD.encode(json!({ "alg": "RS256", "kid": "other" }).to_string());
    parts[0] = &header;
    for assertion in [parts.join("."), none] {
        let form = format!("grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion={assertion}");
        assert_eq!(refused(&token(&mut client, &form)).2, "Invalid JWT Signature.");
    }
}

#[test]
fn a_service_account_without_delegation_sees_what_is_shared_with_it_and_invites_nobody() {
    let mut client = world();
    let own = claims(&client, "");
    client.token = bearer_grant(&mut client, &own).ok().text("access_token");
    let got = client.get("");
    assert_eq!((got.status, got.reason()), (404, "notFound"));
    client.fake.share(ALICE, ROBOT, Role::Writer);
    client.insert("shared", "2026-01-05");
    let mut body = event("invite", "2026-01-05");
    body["attendees"] = json!([{ "email": BOB }]);
    let got = client.call("POST", "", body);
    assert_eq!((got.status, got.reason()), (403, "forbiddenForServiceAccounts"));
    client.fake.unshare(ALICE, ROBOT);
    assert_eq!(client.get("shared").status, 404);
}

#[test]
fn tokens_end_and_scopes_limit_what_they_open() {
    let mut client = Client::new();
    client.pass(3598);
    assert_eq!(client.get("").status, 200);
    client.pass(1);
    let got = client.get("");
    assert_eq!((got.status, got.reason(), got.message()), (401, "authError", "Invalid Credentials"));
    client.token.clear();
    let got = client.get("");
    assert_eq!((got.status, got.reason()), (401, "required"));
    for (scope, path, status) in [
        ("calendar.events", "", 200),
        ("calendar.events", "/users/me/calendarList", 403),
        ("calendar.events", "/calendars/primary", 403),
        ("calendar.readonly", "/calendars/primary", 200),
        ("calendar.calendarlist.readonly", "/users/me/calendarList", 200),
        ("calendar.calendarlist.readonly", "", 403),
    ] {
        client.token = client.fake.access_token(client.now, ALICE, &[scope]);
        let got = client.get(path);
        assert_eq!(got.status, status, "{scope} {path}");
        if status == 403 {
            assert_eq!(got.reason(), "insufficientPermissions");
            assert_eq!(got.body["error"]["details"][0]["reason"], "ACCESS_TOKEN_SCOPE_INSUFFICIENT");
        }
    }
    client.token = client.fake.access_token(client.now, ALICE, &["calendar.readonly"]);
    assert_eq!(client.call("POST", "", event("nope", "2026-01-05")).reason(), "insufficientPermissions");
}

#[test]
fn refresh_tokens_end_when_unused_when_the_app_is_in_testing_and_when_there_are_too_many() {
    let refresh =
        "grant_type=refresh_token&refresh_token=neversay&client_id=client&client_secret=GOCSPX-neversay";
    for (testing, days, status) in [(false, 8, 200), (true, 6, 200), (true, 8, 400), (false, 184, 400)] {
        let mut client = world();
        client.fake.set_oauth_client_testing("client", testing);
        token(&mut client, refresh).ok();
        client.pass(days * 86_400);
        assert_eq!(token(&mut client, refresh).status, status, "{testing} {days}");
    }
    let mut client = world();
    client.fake.oauth_client("client", CLIENT_SECRET).redirect_uris =
        vec!["https://crm.example/r".to_owned()];
    let ask = "https://accounts.google.com/o/oauth2/v2/auth?client_id=client&response_type=code&access_type=offline\
               &prompt=consent&scope=https://www.googleapis.com/auth/calendar&redirect_uri=https://crm.example/r";
    for count in 1..=100 {
        assert_eq!(token(&mut client, refresh).status, 200, "{count} tokens");
        let landing = client.fake.user_consents(client.now, ask, &Choice::of(ALICE));
        let code = landing.param("code").unwrap().replace('/', "%2F");
        let form = "grant_type=authorization_code&client_id=client&client_secret=GOCSPX-neversay\
                    &redirect_uri=https://crm.example/r";
        token(&mut client, &format!("{form}&code={code}")).ok();
    }
    assert_eq!(token(&mut client, refresh).status, 400);
}

#[test]
fn the_journal_keeps_no_secret() {
    let mut client = world();
    let form = "grant_type=refresh_token&refresh_token=neversay-me&client_id=client&client_secret=neversay";
    token(&mut client, form);
    let good = claims(&client, ALICE);
    client.token = bearer_grant(&mut client, &good).ok().text("access_token");
    let bearer = client.token.clone();
    client.get("");
    client.token.clear();
    client.get(&format!("?access_token={bearer}"));
    let journal = format!("{:?}", client.fake.journal());
    for secret in ["neversay", bearer.as_str(), "assertion"] {
        assert!(!journal.contains(secret), "{secret} in {journal}");
    }
    assert_eq!(client.fake.journal().last().unwrap().status, 200);
}
