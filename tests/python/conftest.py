"""Starts the fake Google Calendar server for a test, and builds Google's own client for it.

Every test gets a server of its own on a free port: no test sees what another one wrote. Waits are bounded: the first
line of the server's output says that it listens, and each request has a time limit.
"""

import json
import os
import selectors
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import google.oauth2.credentials
import httplib2
import pytest
from google.oauth2 import service_account
from google_auth_httplib2 import AuthorizedHttp
from googleapiclient.discovery import build

ROOT = Path(__file__).resolve().parents[2]
SCOPES = ["https://www.googleapis.com/auth/calendar"]
START_SECONDS_MAX = 30
REQUEST_SECONDS_MAX = 30


@dataclass(frozen=True)
class FakeGoogle:
    """A running fake, described by the JSON line that it printed."""

    described: dict

    def order(self, name: str, **arguments):
        """Gives the fake itself an order, such as to expire the sync tokens."""
        return self.look(name, json.dumps(arguments).encode())

    def look(self, name: str, body: bytes | None = None):
        """Looks at what happened: the journal, the mails, the screens."""
        with urlopen(f"{self.described['control_url']}/{name}", data=body, timeout=REQUEST_SECONDS_MAX) as answer:
            assert answer.status == 200
            return json.load(answer)

    def refresh_credentials(self, **changed) -> google.oauth2.credentials.Credentials:
        """What a person who consented leaves behind: a refresh token."""
        settings = {
            "refresh_token": self.described["refresh_token"],
            "client_id": self.described["client_id"],
            "client_secret": self.described["client_secret"],
        } | changed
        token_uri = self.described["token_url"]
        return google.oauth2.credentials.Credentials(token=None, token_uri=token_uri, scopes=SCOPES, **settings)

    def delegated_credentials(self, subject: str) -> service_account.Credentials:
        """A service account acting for a person of its domain."""
        key = json.loads(Path(self.described["service_account_key_file"]).read_text())
        key["token_uri"] = self.described["token_url"]
        return service_account.Credentials.from_service_account_info(key, scopes=SCOPES, subject=subject)

    def client(self, credentials=None):
        """Google's client with its built-in description of the API, and only the address changed."""
        endpoint = {"api_endpoint": self.described["api_url"] + "/"}
        return build("calendar", "v3", http=self.http(credentials), static_discovery=True, client_options=endpoint)

    def http(self, credentials=None):
        """What Google's client sends its requests with."""
        http = httplib2.Http(timeout=REQUEST_SECONDS_MAX)
        return http if credentials is None else AuthorizedHttp(credentials, http=http)


def program_of(name: str, variable: str) -> str:
    """A program of the test kit: what the variable of the environment names, or what cargo builds."""
    if given := os.environ.get(variable):
        return given
    command = ["cargo", "build", "--package", "calsync-testkit", "--bin", name, "--message-format", "json"]
    built = subprocess.run(command, cwd=ROOT, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=900)
    artifacts = [json.loads(line) for line in built.stdout.splitlines()]
    return next(artifact["executable"] for artifact in artifacts if artifact.get("executable"))


@pytest.fixture(scope="session")
def fake_google_program() -> str:
    """The fake's program: FAKE_GOOGLE_BIN, or what cargo builds."""
    return program_of("fake-google", "FAKE_GOOGLE_BIN")


@pytest.fixture(scope="session")
def expand_rules_program() -> str:
    """What expands recurrence lines: EXPAND_RULES_BIN, or what cargo builds."""
    return program_of("expand-rules", "EXPAND_RULES_BIN")


@pytest.fixture
def fake(fake_google_program, tmp_path):
    """A fresh fake in Vienna, and nothing left of it afterwards."""
    command = [fake_google_program, "--listen", "127.0.0.1:0", "--zone", "Europe/Vienna"]
    command += ["--key-file", str(tmp_path / "key.json")]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as server:
        try:
            yield FakeGoogle(json.loads(first_line(server)))
        finally:
            server.kill()
            # What it said after the first line is nobody's secret, and looked through with all other output.
            print(server.stdout.read().decode())


@pytest.fixture
def alice(fake):
    """Google's client for alice@example.com, by her refresh token."""
    return fake.client(fake.refresh_credentials())


def first_line(server) -> bytes:
    with selectors.DefaultSelector() as selector:
        selector.register(server.stdout, selectors.EVENT_READ)
        assert selector.select(START_SECONDS_MAX), "the fake said nothing"
    line = server.stdout.readline()
    assert line, f"the fake ended with {server.wait(START_SECONDS_MAX)}"
    return line
