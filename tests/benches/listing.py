"""The script that a Python developer would write: Google's own client, one table, one transaction a page.

Usage: listing.py API_URL ACCESS_TOKEN CALENDAR DATABASE. The listing is read once before, so that the server has its pages
ready; what is timed is reading it again into the database. Prints events and seconds.
"""

import json
import os
import sqlite3
import sys
import time

import google.oauth2.credentials
from googleapiclient.discovery import build

api_url, token, calendar, path = sys.argv[1:]
credentials = google.oauth2.credentials.Credentials(token=token)
client = build(
    "calendar", "v3", credentials=credentials, static_discovery=True, client_options={"api_endpoint": api_url + "/"}
)


def pages():
    request = client.events().list(calendarId=calendar, singleEvents=False, showDeleted=False, maxResults=2500)
    while request is not None:
        page = request.execute()
        yield page["items"]
        request = client.events().list_next(request, page)


for _ in pages():
    pass

if os.path.exists(path):
    os.unlink(path)
database = sqlite3.connect(path)
database.execute("PRAGMA journal_mode = WAL")
database.execute("PRAGMA synchronous = FULL")
database.execute(
    "CREATE TABLE event (id TEXT PRIMARY KEY, etag TEXT, updated TEXT, status TEXT, summary TEXT, description TEXT,"
    " location TEXT, starts TEXT, ends TEXT, recurrence TEXT, attendees TEXT, body TEXT)"
)
began = time.perf_counter()
count = 0
for items in pages():
    with database:
        database.executemany(
            "INSERT OR REPLACE INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    item["id"],
                    item.get("etag"),
                    item.get("updated"),
                    item.get("status"),
                    item.get("summary"),
                    item.get("description"),
                    item.get("location"),
                    json.dumps(item.get("start")),
                    json.dumps(item.get("end")),
                    json.dumps(item.get("recurrence")),
                    json.dumps(item.get("attendees")),
                    json.dumps(item),
                )
                for item in items
            ),
        )
    count += len(items)
print(count, time.perf_counter() - began)
