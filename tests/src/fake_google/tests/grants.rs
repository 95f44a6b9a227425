//! What ends a grant, and who is told what about an account.

use super::consent::{BACK, WEB, consents, exchange, post, refresh, world};
use super::*;
use crate::marked::CLIENT_SECRET;

const DEAD: &str = "Token has been expired or revoked.";

/// Alice consents to these scopes, offline; her tokens.
fn granted(client: &mut Client, scopes: &str) -> Got {
    let landing = consents(client, &[("scope", scopes), ("prompt", "consent")], &Choice::of(ALICE));
    exchange(client, &landing, &[]).ok()
}

#[test]
fn the_seven_days_of_testing_spare_who_only_signs_in_and_end_the_consent() {
    for (scopes, alive) in [("calendar.events", false), ("openid email profile", true)] {
        let mut client = world();
        let app = client.fake.oauth_client(WEB, CLIENT_SECRET);
        (app.testing, app.test_users) = (true, [ALICE.to_owned()].into());
        let token = granted(&mut client, scopes).text("refresh_token");
        client.pass(6 * 86_400);
        refresh(&mut client, &token).ok();
        client.pass(86_401);
        let got = refresh(&mut client, &token);
        assert_eq!(got.status == 200, alive, "{scopes}");
        // The next consent is a first one again, without being asked for.
        let landing = consents(&mut client, &[("scope", scopes)], &Choice::of(ALICE));
        assert_eq!(landing.param("prompt").as_deref(), Some("consent"));
        assert!(exchange(&mut client, &landing, &[]).ok().body.get("refresh_token").is_some());
    }
}

#[test]
fn half_a_year_unused_ends_a_token_and_use_keeps_it() {
    let mut client = world();
    let token = granted(&mut client, "calendar.events").text("refresh_token");
    for _ in 0..3 {
        client.pass(180 * 86_400);
        refresh(&mut client, &token).ok();
    }
    client.pass(184 * 86_400);
    assert_eq!(refresh(&mut client, &token).text("error_description"), DEAD);
}

#[test]
fn a_new_password_ends_what_opens_mail_and_spares_calendars() {
    let mut client = world();
    let calendar = granted(&mut client, "calendar.events").text("refresh_token");
    let mail = granted(&mut client, "calendar.events https://mail.google.com/").text("refresh_token");
    client.fake.user_changes_password(ALICE);
    refresh(&mut client, &calendar).ok();
    assert_eq!(refresh(&mut client, &mail).text("error_description"), DEAD);
}

#[test]
fn an_administrator_s_block_refuses_the_refresh_as_long_as_it_stands() {
    let mut client = world();
    let token = granted(&mut client, "calendar.events").text("refresh_token");
    client.fake.oauth_client(WEB, CLIENT_SECRET).blocked_in.insert("example.com".to_owned());
    let got = refresh(&mut client, &token);
    assert_eq!((got.status, got.text("error").as_str()), (400, "admin_policy_enforced"));
    client.fake.behaviour_mut().admin_block_named_at_refresh = false;
    assert_eq!(refresh(&mut client, &token).text("error"), "invalid_grant");
    client.fake.oauth_client(WEB, CLIENT_SECRET).blocked_in.clear();
    refresh(&mut client, &token).ok();
}

#[test]
fn a_rotated_token_is_good_until_the_new_one_was_used() {
    let mut client = world();
    client.fake.behaviour_mut().rotate_refresh_tokens = true;
    let first = granted(&mut client, "calendar.events").text("refresh_token");
    // The answer is lost: the old one is tried again.
    refresh(&mut client, &first).ok();
    let second = refresh(&mut client, &first).ok().text("refresh_token");
    let third = refresh(&mut client, &second).ok().text("refresh_token");
    assert_eq!(refresh(&mut client, &first).text("error_description"), DEAD);
    refresh(&mut client, &second).ok();
    // With a time of grace the old one lives on for as long.
    client.fake.behaviour_mut().rotation_grace_seconds = 60;
    let fourth = refresh(&mut client, &third).ok().text("refresh_token");
    refresh(&mut client, &fourth).ok();
    client.pass(59);
    refresh(&mut client, &third).ok();
    client.pass(1);
    assert_eq!(refresh(&mut client, &third).status, 400);
    client.fake.behaviour_mut().rotation_grace_seconds = 0;
    client.fake.behaviour_mut().rotation_ends_at_once = true;
    refresh(&mut client, &fourth).ok();
    assert_eq!(refresh(&mut client, &fourth).status, 400);
}

#[test]
fn revoking_one_token_ends_the_whole_grant_or_what_the_switch_says() {
    for (whole, what, others) in [
        (true, "refresh_token", 400),
        (true, "access_token", 400),
        (false, "refresh_token", 200),
        (false, "access_token", 200),
    ] {
        for in_query in [false, true] {
            let mut client = world();
            client.fake.behaviour_mut().revocation_ends_whole_grant = whole;
            let (one, other) =
                (granted(&mut client, "calendar.events"), granted(&mut client, "calendar.events"));
            let token = one.text(what);
            let path = format!("/revoke?token={}", incoming::encode(&token));
            let got = match in_query {
                true => post(&mut client, &path, &[]),
                false => post(&mut client, "/revoke", &[("token", &token)]),
            };
            assert_eq!(got.status, 200, "{whole} {what}");
            assert_eq!(refresh(&mut client, &other.text("refresh_token")).status, others, "{whole} {what}");
            for (tokens, status) in [(&one, 401), (&other, if whole { 401 } else { 200 })] {
                client.token = tokens.text("access_token");
                assert_eq!(client.get("").status, status, "{whole} {what}");
            }
            client.token.clear();
            let again = post(&mut client, "/revoke", &[("token", &token)]);
            assert_eq!(
                (again.status, again.text("error").as_str()),
                (400, "invalid_token"),
                "{whole} {what}"
            );
        }
    }
    let mut client = world();
    assert_eq!(post(&mut client, "/revoke", &[]).text("error"), "invalid_request");
    // Bob's grant is another one.
    let landing = consents(&mut client, &[], &Choice::of(BOB));
    let bob = exchange(&mut client, &landing, &[]).ok().text("refresh_token");
    let alice = granted(&mut client, "calendar.events").text("refresh_token");
    post(&mut client, "/revoke", &[("token", &alice)]).ok();
    refresh(&mut client, &bob).ok();
    assert!(client.fake.journal().iter().all(|entry| !format!("{entry:?}").contains(&alice)), "{BACK}");
}

#[test]
fn an_account_is_told_to_who_was_granted_it() {
    let mut client = world();
    client.fake.account(ALICE).display_name = Some("Alice Ash".to_owned());
    for (scopes, fields) in [
        ("openid", "hd id"),
        ("email", "email hd id verified_email"),
        ("profile", "hd id name picture"),
        ("calendar.events email profile", "email hd id name picture verified_email"),
    ] {
        let token = granted(&mut client, scopes).text("access_token");
        client.token = token;
        for path in ["/oauth2/v2/userinfo", "/userinfo/v2/me"] {
            let body = client.raw("GET", path, "").ok().body;
            let mut names: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
            names.sort();
            assert_eq!(names.join(" "), fields, "{scopes}");
        }
    }
    // A token out of nowhere is no different.
    client.token = client.fake.access_token(client.now, ALICE, &["email"]);
    assert_eq!(client.raw("GET", "/oauth2/v2/userinfo", "").ok().text("email"), ALICE);
    let only = granted(&mut client, "calendar.events").text("access_token");
    client.token = only;
    assert_eq!(client.raw("GET", "/oauth2/v2/userinfo", "").status, 403);
    client.fake.behaviour_mut().userinfo_scope_refusal_is_401 = true;
    assert_eq!(client.raw("GET", "/oauth2/v2/userinfo", "").status, 401);
    client.token.clear();
    assert_eq!(client.raw("GET", "/oauth2/v2/userinfo", "").status, 401);
}

#[test]
fn a_token_is_explained_in_either_form() {
    let mut client = world();
    let token = granted(&mut client, "email calendar.events").text("access_token");
    client.pass(99);
    let path = format!("/tokeninfo?access_token={token}");
    let got = client.raw("GET", &path, "").ok().body;
    assert_eq!(
        (&got["audience"], &got["issued_to"], &got["expires_in"]),
        (&json!(WEB), &json!(WEB), &json!(3500))
    );
    assert_eq!((&got["email"], &got["verified_email"]), (&json!(ALICE), &json!(true)));
    client.fake.behaviour_mut().tokeninfo_form = TokenInfoForm::V3;
    let got = client.raw("GET", &path, "").ok().body;
    assert_eq!(
        (&got["aud"], &got["expires_in"], &got["email_verified"]),
        (&json!(WEB), &json!("3500"), &json!("true"))
    );
    let got = post(&mut client, "/oauth2/v2/tokeninfo", &[("access_token", &token)]).ok().body;
    assert_eq!(got["audience"], WEB, "the older address has one form");
    client.pass(3500);
    let got = client.raw("GET", &path, "");
    assert_eq!((got.status, got.text("error").as_str()), (400, "invalid_token"));
    assert!(!format!("{:?}", client.fake.journal()).contains(&token));
}
