//! The way to a consent: what is asked, who sees which page, and where the browser is in the end.

use super::*;
use crate::marked::CLIENT_SECRET;

pub(super) const WEB: &str = "123456789-web.apps.googleusercontent.com";
pub(super) const DESKTOP: &str = "123456789-desktop.apps.googleusercontent.com";
pub(super) const BACK: &str = "https://crm.example/cb";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// Of RFC 7636, as its verifier.
const S256: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Alice, Bob, and the two clients of one project.
pub(super) fn world() -> Client {
    let mut client = Client::new();
    client.token.clear();
    client.fake.oauth_client(WEB, CLIENT_SECRET).redirect_uris = vec![BACK.to_owned()];
    client.fake.oauth_client(DESKTOP, CLIENT_SECRET).kind = ClientKind::Installed;
    client
}

/// The address that an application opens: the usual parameters, those that are given instead of them, or (with an empty
/// value) without them.
pub(super) fn address(given: &[(&str, &str)]) -> String {
    let mut pairs = vec![
        ("client_id", WEB),
        ("redirect_uri", BACK),
        ("response_type", "code"),
        ("scope", "calendar.events calendar.calendarlist.readonly"),
        ("access_type", "offline"),
        ("state", "s t&1"),
    ];
    for (name, value) in given {
        pairs.retain(|(known, _)| known != name);
        if !value.is_empty() {
            pairs.push((name, value));
        }
    }
    let query: Vec<String> = pairs
        .into_iter()
        .map(|(name, value)| {
            let value = if name == "scope" { long(value) } else { value.to_owned() };
            format!("{name}={}", incoming::encode(&value))
        })
        .collect();
    format!("https://accounts.google.com/o/oauth2/v2/auth?{}", query.join("&"))
}

/// Scopes in long form, where they have one.
pub(super) fn long(scopes: &str) -> String {
    scopes.split(' ').map(scope::full_scope).collect::<Vec<_>>().join(" ")
}

pub(super) fn consents(client: &mut Client, given: &[(&str, &str)], choice: &Choice) -> Landing {
    client.fake.user_consents(client.now, &address(given), choice)
}

/// Takes a landing's code to the token endpoint.
pub(super) fn exchange(client: &mut Client, landing: &Landing, given: &[(&str, &str)]) -> Got {
    let code = landing.param("code").unwrap_or_else(|| panic!("no code: {landing:?}"));
    let mut pairs = vec![
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", BACK),
        ("client_id", WEB),
        ("client_secret", CLIENT_SECRET),
    ];
    for (name, value) in given {
        pairs.retain(|(known, _)| known != name);
        pairs.push((name, value));
    }
    post(client, "/token", &pairs)
}

pub(super) fn refresh(client: &mut Client, token: &str) -> Got {
    let pairs = [
        ("grant_type", "refresh_token"),
        ("refresh_token", token),
        ("client_id", WEB),
        ("client_secret", CLIENT_SECRET),
    ];
    post(client, "/token", &pairs)
}

pub(super) fn post(client: &mut Client, path: &str, pairs: &[(&str, &str)]) -> Got {
    let form: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{name}={}", incoming::encode(value))).collect();
    client.with("content-type", "application/x-www-form-urlencoded");
    client.raw("POST", path, form.join("&"))
}

fn kinds(client: &Client) -> Vec<&'static str> {
    let name = |screen: &Screen| match screen.kind {
        ScreenKind::Accounts => "accounts",
        ScreenKind::TestingWarning => "testing",
        ScreenKind::UnverifiedWarning => "unverified",
        ScreenKind::Consent { ticks: true, .. } => "boxes",
        ScreenKind::Consent { .. } => "consent",
        ScreenKind::Error(_) => "error",
    };
    client.fake.screens().iter().map(name).collect()
}

#[test]
fn a_person_consents_and_the_code_gives_tokens_that_open_the_calendar() {
    let mut client = world();
    let landing = consents(&mut client, &[], &Choice::of(ALICE));
    assert!(
        landing.url().unwrap().starts_with("https://crm.example/cb?state=s%20t%261&code=4%2F"),
        "{landing:?}"
    );
    assert_eq!(landing.param("state").as_deref(), Some("s t&1"));
    let asked = long("calendar.events calendar.calendarlist.readonly");
    let told = landing.param("scope").unwrap();
    assert_ne!(told, asked, "a set has no order");
    let sorted = |text: &str| text.split(' ').map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(sorted(&told), sorted(&asked));
    let got = exchange(&mut client, &landing, &[]).ok();
    assert_eq!(got.text("scope"), told);
    assert_eq!(got.body.get("id_token"), None);
    client.token = got.text("access_token");
    assert_eq!(client.get("").status, 200);
    assert_eq!(client.get("/users/me/calendarList/primary").ok().text("id"), ALICE);
    assert_eq!(client.get("/calendars/primary").reason(), "insufficientPermissions");
    let again = refresh(&mut client, &got.text("refresh_token")).ok();
    assert_eq!(again.body.get("refresh_token"), None);
    assert_eq!(kinds(&client), ["accounts", "boxes"]);
    let seen = &client.fake.screens()[1];
    assert_eq!((seen.account.as_deref(), seen.answer), (Some(ALICE), Some(ScreenAnswer::Allowed)));
}

#[test]
fn a_bad_request_ends_on_a_page_and_nobody_is_redirected() {
    const UNKNOWN: &str = "https://crm.example/cb/";
    for (given, status, error, says) in [
        ([("client_id", "")], 400, "invalid_request", "Missing required parameter: client_id"),
        ([("client_id", "123-other")], 401, "invalid_client", "was not found"),
        ([("redirect_uri", "")], 400, "invalid_request", "Missing required parameter: redirect_uri"),
        ([("redirect_uri", UNKNOWN)], 400, "redirect_uri_mismatch", "redirect_uri=https://crm.example/cb/"),
        ([("redirect_uri", "http://127.0.0.1:4000")], 400, "redirect_uri_mismatch", "http://127.0.0.1:4000"),
        ([("response_type", "")], 400, "invalid_request", "response_type"),
        ([("response_type", "cod")], 400, "invalid_request", "Invalid response_type: cod"),
        ([("response_type", "token")], 501, "fake", "response_type=code"),
        ([("scope", "")], 400, "invalid_request", "Missing required parameter: scope"),
        (
            [("scope", "calendar.events calendar.evnts")],
            400,
            "invalid_scope",
            "invalid=[https://www.googleapis.com/auth/calendar.evnts]",
        ),
        ([("scope", "calendar.events,calendar")], 400, "invalid_scope", "valid=[]"),
        ([("access_type", "ofline")], 400, "invalid_request", "access_type"),
        ([("prompt", "always")], 400, "invalid_request", "Invalid prompt: always"),
        ([("prompt", "none consent")], 400, "invalid_request", "none"),
        (
            [("acess_type", "offline")],
            400,
            "invalid_request",
            "Parameter not allowed for this message type: acess_type",
        ),
        ([("code_challenge", "short")], 400, "invalid_request", "code_challenge"),
        ([("code_challenge_method", "S256")], 400, "invalid_request", "code_challenge"),
    ] {
        let mut client = world();
        let page = consents(&mut client, &given, &Choice::of(ALICE));
        let page = page.page().unwrap_or_else(|| panic!("{given:?}: {page:?}"));
        assert_eq!((page.status, page.error.as_str()), (status, error), "{given:?}: {page:?}");
        assert!(page.message.contains(says), "{given:?}: {page:?}");
        assert_eq!(kinds(&client), ["error"], "{given:?}");
    }
    let mut client = world();
    let twice = address(&[]) + "&scope=openid";
    let page = client.fake.user_consents(client.now, &twice, &Choice::of(ALICE));
    assert!(page.page().unwrap().message.contains("can only have a single value: scope"), "{page:?}");
    client.fake.disable_oauth_client(WEB, true);
    assert_eq!(consents(&mut client, &[], &Choice::of(ALICE)).page().unwrap().error, "deleted_client");
    client.fake.behaviour_mut().refuse_unknown_parameters = false;
    let installed =
        [("client_id", DESKTOP), ("redirect_uri", "http://127.0.0.1:4000/cb"), ("acess_type", "x")];
    assert!(consents(&mut client, &installed, &Choice::of(ALICE)).param("code").is_some());
}

#[test]
fn a_cancelled_consent_comes_back_as_access_denied_with_its_state() {
    let mut client = world();
    let landing = client.fake.user_refuses(client.now, &address(&[]), ALICE);
    assert_eq!(landing.url(), Some("https://crm.example/cb?state=s%20t%261&error=access_denied"));
    assert_eq!(client.fake.screens().last().unwrap().answer, Some(ScreenAnswer::Refused));
    assert_eq!(
        consents(&mut client, &[], &Choice::default()),
        Landing::Stuck("the page asks which account, and none was given".into())
    );
    let page = consents(&mut client, &[], &Choice::of("nobody@example.com"));
    assert_eq!(page.page().unwrap().error, "accountNotFound");
}

#[test]
fn an_application_that_is_not_open_to_everybody_warns_or_ends_on_a_page() {
    type Arrange = fn(&mut OAuthClient);
    let none: &[&str] = &[];
    for (name, arrange, landing, seen) in [
        ("open", (|_| {}) as Arrange, "", &["accounts", "boxes"] as &[&str]),
        ("unlisted", |app| app.testing = true, "403 access_denied", &["accounts", "error"]),
        (
            "listed",
            |app| {
                app.testing = true;
                app.test_users.insert(ALICE.to_owned());
            },
            "",
            &["accounts", "testing", "boxes"],
        ),
        ("unverified", |app| app.verified = false, "", &["accounts", "unverified", "boxes"]),
        ("internal", |app| app.internal_to = Some("example.com".to_owned()), "", &["accounts", "boxes"]),
        (
            "foreign",
            |app| app.internal_to = Some("other.com".to_owned()),
            "403 org_internal",
            &["accounts", "error"],
        ),
        (
            "blocked",
            |app| {
                app.blocked_in.insert("example.com".to_owned());
            },
            "400 admin_policy_enforced",
            &["accounts", "error"],
        ),
        (
            "trusted",
            |app| {
                app.verified = false;
                app.trusted_in.insert("example.com".to_owned());
            },
            "",
            &["accounts", "consent"],
        ),
    ] {
        for redirects in [false, true] {
            let mut client = world();
            client.fake.behaviour_mut().consent_refusals_redirect = redirects;
            arrange(client.fake.oauth_client(WEB, CLIENT_SECRET));
            let got = consents(&mut client, &[], &Choice::of(ALICE));
            let error = landing.split_once(' ').map(|(_, error)| error);
            if landing.is_empty() {
                assert!(got.param("code").is_some(), "{name}: {got:?}");
            } else if redirects {
                assert_eq!(got.param("error").as_deref(), error, "{name}");
                continue;
            } else {
                let page = got.page().unwrap();
                assert_eq!(format!("{} {}", page.status, page.error), landing, "{name}");
            }
            assert_eq!(kinds(&client), seen, "{name}");
            let continued =
                client.fake.screens().iter().filter(|s| s.answer == Some(ScreenAnswer::Continued)).count();
            assert_eq!(continued, usize::from(seen.len() == 3), "{name}");
        }
    }
    // A gmail account is of no organization, and no administrator's business.
    let mut client = world();
    client.fake.account("carol@gmail.com");
    client.fake.oauth_client(WEB, CLIENT_SECRET).internal_to = Some("gmail.com".to_owned());
    let got = consents(&mut client, &[], &Choice::of("carol@gmail.com"));
    assert_eq!(got.page().unwrap().error, "org_internal");
    // Who only signs in sees no warning of an unverified application.
    let mut client = world();
    client.fake.oauth_client(WEB, CLIENT_SECRET).verified = false;
    consents(&mut client, &[("scope", "openid email")], &Choice::of(ALICE));
    assert_eq!((kinds(&client), none.len()), (vec!["accounts", "consent"], 0));
}

#[test]
fn an_empty_box_is_missing_from_the_scopes_of_callback_and_reply() {
    let mut client = world();
    let choice = Choice::of(ALICE).untick(&["calendar.calendarlist.readonly"]);
    let landing = consents(&mut client, &[], &choice);
    assert_eq!(landing.param("scope"), Some(long("calendar.events")));
    let got = exchange(&mut client, &landing, &[]).ok();
    assert_eq!(got.text("scope"), long("calendar.events"));
    client.token = got.text("access_token");
    assert_eq!(client.get("/users/me/calendarList").reason(), "insufficientPermissions");
    // Everything unticked is a refusal.
    let mut client = world();
    let choice = choice.untick(&["calendar.events"]);
    assert_eq!(consents(&mut client, &[], &choice).param("error").as_deref(), Some("access_denied"));
    // One scope has no box, signing in has none, and what was granted has none.
    for given in [[("scope", "calendar.events")], [("scope", "openid email calendar.events")]] {
        let choice = Choice::of(ALICE).untick(&["calendar.events"]);
        let landing = consents(&mut client, &given, &choice);
        assert!(matches!(landing, Landing::Stuck(_)), "{landing:?}");
    }
}

#[test]
fn a_refresh_token_comes_with_the_first_offline_consent_and_with_prompt_consent() {
    let mut client = world();
    let mut step = |given: &[(&str, &str)]| {
        let landing = client.fake.user_consents(client.now, &address(given), &Choice::of(ALICE));
        let got = exchange(&mut client, &landing, &[]).ok();
        (got.body.get("refresh_token").is_some(), landing.param("prompt").unwrap())
    };
    let told = |token: bool, prompt: &str| (token, prompt.to_owned());
    assert_eq!(step(&[("access_type", "")]), told(false, "consent"));
    assert_eq!(step(&[("access_type", "online")]), told(false, "none"));
    assert_eq!(step(&[]), told(true, "none"), "the first one that is offline");
    assert_eq!(step(&[]), told(false, "none"));
    assert_eq!(step(&[("prompt", "consent")]), told(true, "consent"));
    assert_eq!(step(&[("prompt", "consent"), ("access_type", "online")]), told(false, "consent"));
    client.fake.user_disconnects(WEB, ALICE);
    let landing = consents(&mut client, &[], &Choice::of(ALICE));
    assert!(exchange(&mut client, &landing, &[]).ok().body.get("refresh_token").is_some());
}

#[test]
fn a_grant_that_is_added_to_includes_the_earlier_scopes_only_if_asked() {
    for (incremental, scopes) in [
        ("", "calendar.freebusy"),
        ("false", "calendar.freebusy"),
        ("true", "calendar.calendarlist.readonly calendar.events calendar.freebusy"),
    ] {
        let mut client = world();
        consents(&mut client, &[], &Choice::of(ALICE));
        let more = [("scope", "calendar.freebusy"), ("include_granted_scopes", incremental)];
        // Only the new one is asked about: no boxes.
        let landing = consents(&mut client, &more, &Choice::of(ALICE));
        assert_eq!(landing.param("scope"), Some(long(scopes)), "{incremental}");
        assert_eq!(kinds(&client).last(), Some(&"consent"));
        assert_eq!(exchange(&mut client, &landing, &[]).ok().text("scope"), long(scopes));
        // What one client was granted counts for the other one of the project.
        let other =
            [("client_id", DESKTOP), ("redirect_uri", "http://[::1]:9/"), ("scope", "calendar.freebusy")];
        assert_eq!(
            consents(&mut client, &other, &Choice::of(ALICE)).param("prompt").as_deref(),
            Some("none")
        );
    }
}

#[test]
fn the_request_can_name_the_account_and_forbid_all_pages() {
    let mut client = world();
    let hint = ("login_hint", "Alice@example.com");
    let quiet = consents(&mut client, &[("prompt", "none"), hint], &Choice::default());
    assert_eq!(quiet.param("error").as_deref(), Some("interaction_required"));
    let quiet = consents(&mut client, &[("prompt", "none")], &Choice::default());
    assert_eq!(quiet.param("error").as_deref(), Some("login_required"));
    assert_eq!(kinds(&client), [""; 0]);
    assert!(consents(&mut client, &[hint], &Choice::default()).param("code").is_some());
    assert_eq!(kinds(&client), ["boxes"]);
    let quiet = consents(&mut client, &[("prompt", "none"), hint], &Choice::default());
    assert!(quiet.param("code").is_some());
    // The person is somebody else than the request thinks.
    let landing = consents(&mut client, &[hint, ("prompt", "consent")], &Choice::of(BOB));
    client.token = exchange(&mut client, &landing, &[]).ok().text("access_token");
    assert_eq!(client.get("/users/me/calendarList/primary").ok().text("id"), BOB);
    consents(&mut client, &[hint, ("prompt", "select_account")], &Choice::of(ALICE));
    assert_eq!(kinds(&client).last(), Some(&"accounts"));
}

#[test]
fn a_code_is_bound_to_its_client_its_address_its_proof_and_ten_minutes() {
    for (method, challenge, verifier) in
        [("S256", S256, VERIFIER), ("plain", VERIFIER, VERIFIER), ("", VERIFIER, VERIFIER)]
    {
        let mut client = world();
        let given = [("code_challenge", challenge), ("code_challenge_method", method)];
        let landing = consents(&mut client, &given, &Choice::of(ALICE));
        for (wrong, error, says) in [
            (("code_verifier", "another"), "invalid_grant", "Invalid code verifier."),
            (("code_verifier", S256), "invalid_grant", "Invalid code verifier."),
            (("code_verifier", ""), "invalid_grant", "Missing code verifier."),
            (("redirect_uri", "https://crm.example/"), "redirect_uri_mismatch", "Bad Request"),
            (("client_id", DESKTOP), "invalid_grant", "Malformed auth code."),
            (("code", "4/made-up"), "invalid_grant", "Malformed auth code."),
        ] {
            let got = exchange(&mut client, &landing, &[("code_verifier", verifier), wrong]);
            assert_eq!((got.status, got.text("error").as_str()), (400, error), "{method} {wrong:?}");
            assert_eq!(got.text("error_description"), says, "{method} {wrong:?}");
        }
        exchange(&mut client, &landing, &[("code_verifier", verifier)]).ok();
        let again = exchange(&mut client, &landing, &[("code_verifier", verifier)]);
        assert_eq!(again.text("error_description"), "Code was already redeemed.");
    }
    for (seconds, status) in [(599, 200), (600, 400)] {
        let mut client = world();
        let landing = consents(&mut client, &[], &Choice::of(ALICE));
        client.pass(seconds);
        assert_eq!(exchange(&mut client, &landing, &[]).status, status, "{seconds}");
    }
}

#[test]
fn signing_in_comes_back_in_long_form_with_openid_and_a_token_that_says_who() {
    let mut client = world();
    let given = [("scope", "email profile"), ("nonce", "n1")];
    let landing = consents(&mut client, &given, &Choice::of(ALICE));
    let told = "openid https://www.googleapis.com/auth/userinfo.email https://www.googleapis.com/auth/userinfo.profile";
    let sorted = |text: &str| text.split(' ').map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(sorted(&landing.param("scope").unwrap()), sorted(told));
    assert_eq!(exchange(&mut client, &landing, &[]).ok().body.get("id_token"), None, "openid was not asked");
    for wanted in [true, false] {
        client.fake.behaviour_mut().id_tokens = wanted;
        let given = [("scope", "openid email"), ("nonce", "n1"), ("prompt", "consent")];
        let landing = consents(&mut client, &given, &Choice::of(ALICE));
        let got = exchange(&mut client, &landing, &[]).ok();
        assert_eq!(got.body.get("id_token").is_some(), wanted);
        if wanted {
            let token = got.text("id_token");
            let parts: Vec<&str> = token.split('.').collect();
            use base64::Engine as _;
            let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
            let claims: Value = serde_json::from_slice(&claims).unwrap();
            assert_eq!((parts.len(), &claims["email"], &claims["aud"]), (3, &json!(ALICE), &json!(WEB)));
            assert_eq!((&claims["nonce"], &claims["hd"]), (&json!("n1"), &json!("example.com")));
        }
    }
}

#[test]
fn access_for_a_time_is_told_and_ends() {
    let mut client = world();
    let choice = Choice::of(ALICE).limited();
    assert!(matches!(consents(&mut client, &[], &choice), Landing::Stuck(_)));
    client.fake.behaviour_mut().time_limited_access_seconds = Some(86_400);
    let landing = consents(&mut client, &[], &choice);
    let got = exchange(&mut client, &landing, &[]).ok();
    assert_eq!(got.body["refresh_token_expires_in"], 86_400);
    let token = got.text("refresh_token");
    client.pass(86_399);
    assert_eq!(refresh(&mut client, &token).ok().body["refresh_token_expires_in"], 1);
    client.pass(1);
    assert_eq!(refresh(&mut client, &token).text("error_description"), "Token has been expired or revoked.");
}

/// What a browser knows of a page: the sealed field, and the values of other fields and buttons.
fn page(client: &mut Client, method: &str, uri: &str, body: &str) -> (u16, String, String) {
    let mut request = http::Request::builder().method(method).uri(uri);
    request = request.header("content-type", "application/x-www-form-urlencoded");
    let answer = client.fake.handle(client.now, request.body(Bytes::from(body.to_owned())).unwrap()).response;
    let location =
        answer.headers().get("location").map(|l| l.to_str().unwrap().to_owned()).unwrap_or_default();
    (answer.status().as_u16(), String::from_utf8(answer.body().to_vec()).unwrap(), location)
}

fn sealed(html: &str) -> &str {
    let (_, rest) = html.split_once("name=\"page\" value=\"").unwrap_or_else(|| panic!("no page in {html}"));
    rest.split_once('"').unwrap().0
}

#[test]
fn a_browser_walks_the_same_way_page_by_page() {
    const PATH: &str = "/o/oauth2/v2/auth";
    let mut client = world();
    client.fake.oauth_client(WEB, CLIENT_SECRET).verified = false;
    let uri = address(&[]).replace("https://accounts.google.com", "");
    let (status, html, _) = page(&mut client, "GET", &uri, "");
    assert!(status == 200 && html.contains("Choose an account"), "{html}");
    let form = format!("page={}&account=alice%40example.com", sealed(&html));
    let (_, html, _) = page(&mut client, "POST", PATH, &form);
    assert!(html.contains("hasn't verified this app"), "{html}");
    // A page that was not shown cannot be answered.
    let (status, ..) = page(&mut client, "POST", PATH, &format!("page={}&do=allow", sealed(&html)));
    assert_eq!(status, 400);
    let (status, ..) = page(&mut client, "POST", PATH, "page=made-up&do=allow");
    assert_eq!(status, 400);
    let (status, _, location) = page(&mut client, "POST", PATH, &format!("page={}&do=back", sealed(&html)));
    assert_eq!((status, location.ends_with("&error=access_denied")), (302, true), "{location}");
    let (_, html, _) = page(&mut client, "POST", PATH, &format!("page={}&do=continue", sealed(&html)));
    assert_eq!(html.matches("type=\"checkbox\"").count(), 2, "{html}");
    let granted = incoming::encode(&long("calendar.events"));
    let form = format!("page={}&do=allow&granted={granted}", sealed(&html));
    let (status, _, location) = page(&mut client, "POST", PATH, &form);
    assert_eq!(status, 302);
    let landing = Landing::Redirect(location);
    assert_eq!(landing.param("scope"), Some(long("calendar.events")));
    exchange(&mut client, &landing, &[]).ok();
    let (status, html, _) =
        page(&mut client, "GET", &uri.replace("redirect_uri=https", "redirect_uri=%3Cb%3E"), "");
    assert!(status == 400 && html.contains("redirect_uri_mismatch") && html.contains("&lt;b&gt;"), "{html}");
    // Neither code nor state is kept.
    let journal = format!("{:?}", client.fake.journal());
    let code = landing.param("code").unwrap();
    assert!(
        !journal.contains(&code) && !journal.contains("s t&1") && !journal.contains("s%20t"),
        "{journal}"
    );
    assert!(journal.contains(&long("calendar.events")), "the request is known by its scopes");
}
