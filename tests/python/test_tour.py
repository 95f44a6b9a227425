"""A tour of the fake Google Calendar with the client that Google itself publishes.

The fake was written beside calsync. That a client written by others, generated from Google's own description, gets
through authorisation, paging, increments, conditions, series and refusals shows that it is not only calsync that the
fake suits.
"""

import json

import pytest
from google.auth.exceptions import RefreshError
from googleapiclient.errors import HttpError

CALENDAR = "alice@example.com"
ONE_HOUR = {
    "summary": "Boiler check",
    "start": {"dateTime": "2030-03-04T09:00:00+01:00", "timeZone": "Europe/Vienna"},
    "end": {"dateTime": "2030-03-04T10:00:00+01:00", "timeZone": "Europe/Vienna"},
}
WEEKLY = ONE_HOUR | {"summary": "Weekly round", "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=5"]}


def refusal(request):
    """Sends a request that has to be refused; the status and Google's reason for it."""
    with pytest.raises(HttpError) as refused:
        request.execute()
    error = json.loads(refused.value.content)["error"]
    assert error["code"] == refused.value.status_code
    return refused.value.status_code, error["errors"][0]["reason"]


def conditional(request, etag):
    request.headers["If-Match"] = etag
    return request


def insert(client, body, **parameters):
    return client.events().insert(calendarId=CALENDAR, body=body, **parameters).execute()


def listed(client, **parameters):
    """All pages of a listing: the events by id, and the last page."""
    events, pages_max = {}, 100
    request = client.events().list(calendarId=CALENDAR, **parameters)
    for _ in range(pages_max):
        page = request.execute()
        events |= {event["id"]: event for event in page["items"]}
        request = client.events().list_next(request, page)
        if request is None:
            return events, page
    raise AssertionError(f"no end after {pages_max} pages")


def sync_token(client):
    return listed(client)[1]["nextSyncToken"]


def instances_of(client, series):
    request = client.events().instances(calendarId=CALENDAR, eventId=series["id"], timeMax="2031-01-01T00:00:00Z")
    return request.execute()["items"]


def starts(events):
    return sorted(event["start"]["dateTime"] for event in events)


def test_a_refresh_token_opens_the_calendars_of_its_owner(alice):
    # Looked for in what this tour prints: a search that finds nothing has to be one that finds this.
    print("control-neversay")
    calendars = alice.calendarList().list().execute()
    primary = next(entry for entry in calendars["items"] if entry.get("primary"))
    assert (calendars["kind"], primary["id"], primary["accessRole"]) == ("calendar#calendarList", CALENDAR, "owner")
    assert alice.calendars().get(calendarId="primary").execute()["id"] == CALENDAR


def test_a_service_account_acts_for_the_person_it_names(fake):
    for person in ("alice@example.com", "bob@example.com"):
        client = fake.client(fake.delegated_credentials(person))
        event = client.events().insert(calendarId="primary", body=ONE_HOUR).execute()
        assert event["organizer"] == {"email": person, "self": True}


def test_a_wrong_refresh_token_and_an_unknown_person_get_no_access_token(fake):
    for credentials in (
        fake.refresh_credentials(refresh_token="1//0neversay-someone-elses"),
        fake.refresh_credentials(client_secret="neversay-wrong"),
        fake.delegated_credentials("nobody@example.com"),
    ):
        with pytest.raises(RefreshError) as refused:
            fake.client(credentials).events().list(calendarId=CALENDAR).execute()
        assert refused.value.args[1]["error"] in ("invalid_grant", "invalid_client", "unauthorized_client")


def test_a_request_without_credentials_is_refused_with_401(fake):
    status, reason = refusal(fake.client().events().list(calendarId=CALENDAR))
    assert (status, reason) == (401, "required")


def test_an_inserted_event_comes_back_complete_and_can_be_read_again(alice):
    event = insert(alice, ONE_HOUR)
    assert event["kind"] == "calendar#event"
    assert event["status"] == "confirmed"
    assert event["summary"] == "Boiler check"
    assert event["organizer"] == {"email": CALENDAR, "self": True}
    assert event["start"]["timeZone"] == "Europe/Vienna"
    assert all(event[field] for field in ("etag", "iCalUID", "created", "updated", "htmlLink"))
    assert alice.events().get(calendarId=CALENDAR, eventId=event["id"]).execute() == event


def test_an_all_day_event_keeps_its_dates(alice):
    body = {"summary": "Holiday", "start": {"date": "2030-03-04"}, "end": {"date": "2030-03-06"}}
    event = insert(alice, body)
    assert (event["start"], event["end"]) == ({"date": "2030-03-04"}, {"date": "2030-03-06"})


def test_an_id_of_ones_own_is_taken_once(alice):
    body = ONE_HOUR | {"id": "crm0001"}
    assert insert(alice, body)["id"] == "crm0001"
    assert refusal(alice.events().insert(calendarId=CALENDAR, body=body)) == (409, "duplicate")


def test_an_increment_holds_only_what_changed_since_its_token(alice):
    kept, changed = insert(alice, ONE_HOUR), insert(alice, ONE_HOUR)
    events, last_page = listed(alice)
    assert set(events) == {kept["id"], changed["id"]}

    alice.events().patch(calendarId=CALENDAR, eventId=changed["id"], body={"location": "Cellar"}).execute()
    added = insert(alice, ONE_HOUR)
    events, last_page = listed(alice, syncToken=last_page["nextSyncToken"])
    assert set(events) == {changed["id"], added["id"]}
    assert events[changed["id"]]["location"] == "Cellar"

    events, _ = listed(alice, syncToken=last_page["nextSyncToken"])
    assert events == {}


def test_a_long_listing_comes_in_pages_and_only_the_last_one_has_the_sync_token(alice):
    written = {insert(alice, ONE_HOUR)["id"] for _ in range(5)}
    request, seen, tokens = alice.events().list(calendarId=CALENDAR, maxResults=2), set(), []
    for _ in range(10):
        page = request.execute()
        assert len(page["items"]) <= 2
        assert ("nextPageToken" in page) != ("nextSyncToken" in page)
        seen |= {event["id"] for event in page["items"]}
        tokens.append(page.get("nextSyncToken"))
        request = alice.events().list_next(request, page)
        if request is None:
            break
    assert request is None and seen == written
    assert tokens[-1] and not any(tokens[:-1])


def test_a_field_mask_leaves_out_what_it_does_not_name(alice):
    event = insert(alice, ONE_HOUR)
    page = alice.events().list(calendarId=CALENDAR, fields="items(id,start/dateTime),nextSyncToken").execute()
    assert set(page) == {"items", "nextSyncToken"}
    assert page["items"] == [{"id": event["id"], "start": {"dateTime": event["start"]["dateTime"]}}]


def test_a_patch_changes_what_it_names_and_clears_what_it_sets_to_null(alice):
    event = insert(alice, ONE_HOUR | {"location": "Cellar"})
    patched = alice.events().patch(
        calendarId=CALENDAR, eventId=event["id"], body={"summary": "Boiler swap", "location": None}
    ).execute()
    assert (patched["summary"], "location" in patched) == ("Boiler swap", False)
    assert patched["start"] == event["start"]
    assert patched["etag"] != event["etag"]


def test_a_patch_under_a_stale_etag_is_refused_and_changes_nothing(alice):
    first = insert(alice, ONE_HOUR)
    patch = alice.events().patch
    second = conditional(
        patch(calendarId=CALENDAR, eventId=first["id"], body={"summary": "Second"}), first["etag"]
    ).execute()

    stale = conditional(patch(calendarId=CALENDAR, eventId=first["id"], body={"summary": "Third"}), first["etag"])
    assert refusal(stale) == (412, "conditionNotMet")
    assert alice.events().get(calendarId=CALENDAR, eventId=first["id"]).execute() == second


def test_an_update_replaces_the_whole_event(alice):
    event = insert(alice, ONE_HOUR | {"location": "Cellar"})
    updated = alice.events().update(calendarId=CALENDAR, eventId=event["id"], body=ONE_HOUR).execute()
    assert (updated["id"], "location" in updated) == (event["id"], False)


def test_a_series_is_listed_once_and_expanded_on_request(alice):
    series = insert(alice, WEEKLY)
    events, _ = listed(alice)
    assert list(events) == [series["id"]]
    assert events[series["id"]]["recurrence"] == ["RRULE:FREQ=WEEKLY;COUNT=5"]

    instances = instances_of(alice, series)
    # The clocks go forward on 31 March: at nine in Vienna all the same.
    in_march = [f"2030-03-{day}T09:00:00+01:00" for day in ("04", "11", "18", "25")]
    assert starts(instances) == [*in_march, "2030-04-01T09:00:00+02:00"]
    assert all(instance["recurringEventId"] == series["id"] for instance in instances)
    expanded, _ = listed(alice, singleEvents=True, timeMax="2031-01-01T00:00:00Z")
    assert expanded.keys() == {instance["id"] for instance in instances}


def test_a_moved_occurrence_is_listed_beside_its_series_and_remembers_its_slot(alice):
    series = insert(alice, WEEKLY)
    token = sync_token(alice)
    slot = series["id"] + "_20300311T080000Z"
    moved = {"start": {"dateTime": "2030-03-12T14:00:00+01:00"}, "end": {"dateTime": "2030-03-12T15:00:00+01:00"}}
    alice.events().patch(calendarId=CALENDAR, eventId=slot, body=moved).execute()

    exception = listed(alice, syncToken=token)[0][slot]
    assert exception["recurringEventId"] == series["id"]
    assert exception["originalStartTime"]["dateTime"] == "2030-03-11T09:00:00+01:00"
    assert exception["start"]["dateTime"] == "2030-03-12T14:00:00+01:00"


def test_a_cancelled_occurrence_leaves_a_tombstone_and_a_gap(alice):
    series = insert(alice, WEEKLY)
    slot = series["id"] + "_20300311T080000Z"
    alice.events().delete(calendarId=CALENDAR, eventId=slot).execute()

    tombstone = listed(alice)[0][slot]
    assert (tombstone["status"], tombstone["recurringEventId"]) == ("cancelled", series["id"])
    days = [start[:10] for start in starts(instances_of(alice, series))]
    assert days == ["2030-03-04", "2030-03-18", "2030-03-25", "2030-04-01"]


def test_a_series_without_a_zone_is_refused(alice):
    start, end = ({"dateTime": WEEKLY[edge]["dateTime"]} for edge in ("start", "end"))
    body = WEEKLY | {"start": start, "end": end}
    assert refusal(alice.events().insert(calendarId=CALENDAR, body=body)) == (400, "required")


def test_a_deleted_event_is_gone_the_second_time_and_a_tombstone_in_the_increment(alice):
    event = insert(alice, ONE_HOUR)
    token = sync_token(alice)
    delete = alice.events().delete
    assert delete(calendarId=CALENDAR, eventId=event["id"]).execute() == ""
    assert refusal(delete(calendarId=CALENDAR, eventId=event["id"])) == (410, "deleted")

    assert listed(alice, syncToken=token)[0][event["id"]]["status"] == "cancelled"
    assert listed(alice)[0] == {}
    assert alice.events().get(calendarId=CALENDAR, eventId=event["id"]).execute()["status"] == "cancelled"


def test_an_expired_sync_token_asks_for_a_full_listing_which_does_without_it(fake, alice):
    event = insert(alice, ONE_HOUR)
    token = sync_token(alice)
    fake.order("expire-sync-tokens")
    assert refusal(alice.events().list(calendarId=CALENDAR, syncToken=token)) == (410, "fullSyncRequired")

    events, last_page = listed(alice)
    assert set(events) == {event["id"]}
    assert listed(alice, syncToken=last_page["nextSyncToken"])[0] == {}


def test_a_sync_token_does_not_go_with_other_restrictions(alice):
    request = alice.events().list(calendarId=CALENDAR, syncToken=sync_token(alice), q="boiler")
    assert refusal(request) == (400, "syncTokenWithRequestRestrictions")


def test_an_unknown_event_and_a_calendar_of_others_are_not_found(alice):
    assert refusal(alice.events().get(calendarId=CALENDAR, eventId="nowhere")) == (404, "notFound")
    assert refusal(alice.events().list(calendarId="carol@example.net")) == (404, "notFound")


def test_an_invitation_reaches_the_guest_and_the_answer_comes_back(fake, alice):
    bob = fake.client(fake.delegated_credentials("bob@example.com"))
    invitation = insert(alice, ONE_HOUR | {"attendees": [{"email": "bob@example.com"}]}, sendUpdates="none")
    copies = bob.events().list(calendarId="primary", iCalUID=invitation["iCalUID"]).execute()["items"]
    assert [copy["organizer"]["email"] for copy in copies] == [CALENDAR]

    answer = {"attendeesOmitted": True, "attendees": [{"email": "bob@example.com", "responseStatus": "accepted"}]}
    bob.events().patch(calendarId="primary", eventId=copies[0]["id"], body=answer).execute()
    event = alice.events().get(calendarId=CALENDAR, eventId=invitation["id"]).execute()
    answers = {guest["email"]: guest["responseStatus"] for guest in event["attendees"]}
    assert answers["bob@example.com"] == "accepted"
