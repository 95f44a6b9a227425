"""A person in front of a browser: follows links and redirects, and presses buttons on the consent pages of the fake."""

import threading
import webbrowser
from html.parser import HTMLParser
from urllib.error import HTTPError
from urllib.parse import urlencode, urljoin
from urllib.request import urlopen

REQUEST_SECONDS_MAX = 30
PAGES_MAX = 6


class Form(HTMLParser):
    """What can be answered on a page: its first form, as far as the fake's pages have one."""

    def __init__(self, html: str):
        super().__init__()
        self.action, self.hidden, self.boxes, self.buttons = None, {}, [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "form":
            self.action = self.action or attrs["action"]
        elif tag == "input" and attrs.get("type") == "hidden":
            self.hidden[attrs["name"]] = attrs["value"]
        elif tag == "input" and attrs.get("type") == "checkbox" and attrs["name"] == "granted":
            self.boxes.append(attrs["value"])
        elif tag == "button" and "name" in attrs:
            self.buttons.append((attrs["name"], attrs["value"]))


def consent(url: str, account: str, untick=()) -> tuple[int, str, str]:
    """Opens the address, consents on each page, and says where it ends: status, address and text."""
    answer, data = None, None
    for _ in range(PAGES_MAX):
        try:
            answer = urlopen(url, data=data, timeout=REQUEST_SECONDS_MAX)
        except HTTPError as error:
            answer = error
        with answer:
            status, url, text = answer.status, answer.url, answer.read().decode()
        form = Form(text)
        if form.action is None:
            return status, url, text
        offered = {value for _, value in form.buttons}
        fields = list(form.hidden.items())
        if account in offered:
            fields.append(("account", account))
        else:
            fields += [("granted", scope) for scope in form.boxes if scope not in untick]
            fields.append(("do", "allow" if "allow" in offered else "continue"))
        url, data = urljoin(url, form.action), urlencode(fields).encode()
    raise AssertionError(f"no end after {PAGES_MAX} pages, the last at {url}")


class Browser(webbrowser.BaseBrowser):
    """What a library gets when it asks for the person's browser."""

    def __init__(self, account: str):
        super().__init__()
        self.account, self.landed, self.window = account, [], None

    def open(self, url, new=0, autoraise=True):
        # The library listens only after this has returned.
        self.window = threading.Thread(target=lambda: self.landed.append(consent(url, self.account)), daemon=True)
        self.window.start()
        return True

    def close(self):
        self.window.join(REQUEST_SECONDS_MAX)
        assert self.landed, "the browser did not come back"
        return self.landed[-1]
