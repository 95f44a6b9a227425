"""From the consent page to the calendar with libraries of others: google-auth-oauthlib, Google's client, and gcsa.

They know nothing of the fake but its addresses. What they refuse to understand (a code that does not fit its proof, a
scope that is missing, a field that is misspelt) fails here.
"""

import json
import webbrowser
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from google.auth.exceptions import RefreshError
from google.auth.transport.requests import Request
from google_auth_oauthlib.flow import Flow
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError
from gcsa.acl import ACLRole, ACLScopeType, AccessControlRule
from gcsa.event import Event
from gcsa.google_calendar import GoogleCalendar
from oauthlib.oauth2.rfc6749.errors import OAuth2Error

from browser import Browser, consent

ALICE, BOB = "alice@example.com", "bob@example.com"
EVENTS = "https://www.googleapis.com/auth/calendar.events"
LISTS = "https://www.googleapis.com/auth/calendar.calendarlist.readonly"
CALENDAR = "https://www.googleapis.com/auth/calendar"


@pytest.fixture(autouse=True)
def plain_http(monkeypatch):
    """The fake speaks HTTP, and a person may untick a scope."""
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    monkeypatch.setenv("OAUTHLIB_RELAX_TOKEN_SCOPE", "1")


def client_file(fake, kind="web") -> dict:
    """The client file as the console hands it out, but for the addresses."""
    prefix = "installed_" if kind == "installed" else ""
    return {
        kind: {
            "client_id": fake.described[f"{prefix}client_id"],
            "client_secret": fake.described[f"{prefix}client_secret"],
            "project_id": fake.described["project"],
            "auth_uri": fake.described["auth_url"],
            "token_uri": fake.described["token_url"],
            "redirect_uris": fake.described["redirect_uris"] if kind == "web" else ["http://localhost"],
        }
    }


def flow_of(fake, scopes) -> Flow:
    return Flow.from_client_config(client_file(fake), scopes, redirect_uri=fake.described["redirect_uris"][0])


def asked(fake, url, **choice) -> str:
    """Consents without a browser, as a test in any language can; the address at which the application is called."""
    return fake.order("consent", url=url, **choice)["url"]


def test_consent_exchange_and_refresh_with_googles_own_flow(fake):
    flow = flow_of(fake, [EVENTS, LISTS])
    url, state = flow.authorization_url(access_type="offline", include_granted_scopes="true", prompt="consent")
    landed = asked(fake, url, account=BOB)
    answer = parse_qs(urlsplit(landed).query)
    assert answer["state"] == [state]
    assert set(answer["scope"][0].split()) == {EVENTS, LISTS}
    with pytest.raises(OAuth2Error, match="invalid_grant"):
        flow_of(fake, [EVENTS]).fetch_token(code=answer["code"][0], code_verifier="neversay" * 6)

    flow.fetch_token(authorization_response=landed)
    credentials = flow.credentials
    assert set(credentials.granted_scopes) == {EVENTS, LISTS} and credentials.refresh_token
    first = credentials.token
    credentials.refresh(Request())
    assert credentials.token != first and credentials.valid
    client = fake.client(credentials)
    assert client.calendarList().get(calendarId="primary").execute()["id"] == BOB

    with pytest.raises(OAuth2Error, match="already redeemed"):
        flow.fetch_token(authorization_response=landed)
    fake.order("disconnect", client=fake.described["client_id"], account=BOB)
    with pytest.raises(RefreshError, match="expired or revoked"):
        credentials.refresh(Request())


def test_an_unticked_scope_is_missing_and_the_call_says_so(fake):
    flow = flow_of(fake, [EVENTS, LISTS])
    url, _ = flow.authorization_url()
    flow.fetch_token(authorization_response=asked(fake, url, account=BOB, untick=[LISTS]))
    assert flow.credentials.granted_scopes == [EVENTS]
    client = fake.client(flow.credentials)
    client.events().list(calendarId="primary").execute()
    with pytest.raises(HttpError) as refused:
        client.calendarList().list().execute()
    assert refused.value.error_details[0]["reason"] in ("insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT")


def test_a_refusal_comes_back_and_a_foreign_address_does_not(fake):
    flow = flow_of(fake, [EVENTS])
    url, _ = flow.authorization_url()
    with pytest.raises(OAuth2Error, match="access_denied"):
        flow.fetch_token(authorization_response=asked(fake, url, account=BOB, refuse=True))
    foreign = Flow.from_client_config(client_file(fake), [EVENTS], redirect_uri="https://evil.example/cb")
    status, landed, text = consent(foreign.authorization_url()[0], BOB)
    assert (status, "redirect_uri_mismatch" in text, "https://evil.example/cb" in text) == (400, True, True)
    assert landed.startswith(fake.described["auth_url"])


def test_a_browser_consents_to_an_installed_application(fake, tmp_path, monkeypatch):
    """gcsa starts Google's flow by itself: a server on the loopback interface, a browser, a redirect."""
    fake.order("client", id=fake.described["installed_client_id"], verified=False)
    credentials = tmp_path / "credentials.json"
    credentials.write_text(json.dumps(client_file(fake, "installed")))
    browser = Browser(BOB)
    monkeypatch.setattr(webbrowser, "get", lambda using=None: browser)
    calendar = GoogleCalendar(credentials_path=str(credentials), save_token=False, authentication_flow_port=0)
    status, landed, text = browser.close()
    assert (status, urlsplit(landed).hostname) == (200, "localhost"), text
    first, second, third = (screen["kind"] for screen in fake.look("screens"))
    assert (first, second) == ("accounts", "unverifiedWarning")
    assert third == {"consent": {"scopes": [CALENDAR], "ticks": False}}
    assert calendar.credentials.refresh_token
    calendar.service = fake.client(calendar.credentials)
    assert calendar.get_calendar().calendar_id == BOB


@pytest.fixture
def gcsa_alice(fake):
    credentials = fake.refresh_credentials()
    credentials.refresh(Request())
    calendar = GoogleCalendar(credentials=credentials)
    calendar.service = fake.client(credentials)
    return calendar


def test_gcsa_adds_lists_changes_and_deletes_events(gcsa_alice):
    def in_march(**asked):
        return list(gcsa_alice.get_events(datetime(2030, 3, 1), datetime(2030, 4, 1), **asked))

    start = datetime(2030, 3, 4, 9)
    visit = Event("Boiler check", start=start, end=start + timedelta(hours=1), timezone="Europe/Vienna")
    made = gcsa_alice.add_event(visit)
    assert [event.event_id for event in in_march()] == [made.event_id]
    made.location = "Cellar"
    assert gcsa_alice.update_event(made).location == "Cellar"
    weekly = Event("Round", start=start, timezone="Europe/Vienna", recurrence=["RRULE:FREQ=WEEKLY;COUNT=3"])
    series = gcsa_alice.add_event(weekly)
    assert len(list(gcsa_alice.get_instances(series.event_id, time_max=datetime(2031, 1, 1)))) == 3
    gcsa_alice.delete_event(made)
    assert [event.summary for event in in_march()] == ["Round"]
    assert [event.summary for event in in_march(single_events=True)] == ["Round"] * 3


def test_gcsa_shares_a_calendar_and_takes_it_back(fake, gcsa_alice):
    bob = fake.client(fake.delegated_credentials(BOB))
    rule = AccessControlRule(role=ACLRole.READER, scope_type=ACLScopeType.USER, scope_value=BOB)
    made = gcsa_alice.add_acl_rule(rule, send_notifications=False)
    assert {rule.acl_id: rule.role for rule in gcsa_alice.get_acl_rules()} == {
        f"user:{ALICE}": ACLRole.OWNER,
        made.acl_id: ACLRole.READER,
    }
    assert bob.calendarList().get(calendarId=ALICE).execute()["accessRole"] == "reader"
    with pytest.raises(HttpError) as refused:
        bob.events().quickAdd(calendarId=ALICE, text="x").execute()
    assert refused.value.status_code == 501, "what the fake has not, it says"
    body = {"start": {"date": "2030-03-04"}, "end": {"date": "2030-03-05"}}
    with pytest.raises(HttpError) as refused:
        bob.events().insert(calendarId=ALICE, body=body).execute()
    assert refused.value.error_details[0]["reason"] == "requiredAccessLevel"
    made.role = ACLRole.WRITER
    gcsa_alice.update_acl_rule(made, send_notifications=False)
    bob.events().insert(calendarId=ALICE, body=body).execute()
    gcsa_alice.delete_acl_rule(made)
    with pytest.raises(HttpError) as refused:
        bob.events().list(calendarId=ALICE).execute()
    assert refused.value.status_code == 404
    assert [entry.calendar_id for entry in gcsa_alice.get_calendar_list()] == [ALICE]


def test_google_s_client_for_identities_reads_who_it_is(fake):
    flow = flow_of(fake, ["openid", "https://www.googleapis.com/auth/userinfo.email", EVENTS])
    url, _ = flow.authorization_url(login_hint=ALICE, prompt="consent")
    flow.fetch_token(authorization_response=asked(fake, url))
    assert flow.credentials.id_token.count(".") == 2
    identity = build(
        "oauth2",
        "v2",
        http=fake.http(flow.credentials),
        static_discovery=True,
        client_options={"api_endpoint": fake.described["base_url"] + "/"},
    )
    me = identity.userinfo().get().execute()
    assert (me["email"], me["verified_email"], me["hd"]) == (ALICE, True, "example.com")
    told = identity.tokeninfo(access_token=flow.credentials.token).execute()
    assert (told["audience"], told["email"]) == (fake.described["client_id"], ALICE)


def test_a_project_without_the_api_says_where_to_switch_it_on(fake, alice):
    fake.order("api", project=fake.described["project"], enabled=False)
    with pytest.raises(HttpError) as refused:
        alice.events().list(calendarId=CALENDAR).execute()
    error = json.loads(refused.value.content)["error"]
    assert (refused.value.status_code, error["errors"][0]["reason"]) == (403, "accessNotConfigured")
    assert "console.developers.google.com" in error["message"]
