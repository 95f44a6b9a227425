"""Looks for secrets in everything that the tests printed and logged, and fails with each place.

    tests/secrets_in_output.py DIRECTORY OUTPUT...

The directory holds `output/`, what each stage of tests/run printed, passing tests included, and `logs/`, what each process logged
at every level (tests/src/captured.rs). Named are the outputs that have to be there and in which a test says the control word.

What is secret in the tests has the word of tests/src/marked.rs in it, where it is made of random bytes in base64. A key file cannot
carry a word, and a signed assertion is made by calsync: they are known by their own text and by their form.

A search that finds nothing proves little by itself. So every form is looked for in a sample of it first, and every log, and each
named output, has to have the control word, which is said on purpose and found by the same search.
"""

import base64
import re
import sys
from pathlib import Path

MARK = "neversay"
CONTROL = f"control-{MARK}"
KEY = Path(__file__).parent / "data" / "keys" / "throwaway_service_account.pem"
# A run that leaves fewer log lines than this has not logged at all.
LOGGED_MIN = 1000


def in_base64(word: bytes) -> list[str]:
    """What is sure of the word in base64, wherever in the text it begins."""
    found = []
    for before in range(3):
        text = base64.b64encode(b"\0" * before + word).decode().rstrip("=")
        first = -(-before * 8 // 6)
        whole = (before + len(word)) * 8 // 6
        found.append(text[first:whole])
    return found


def key_pieces() -> list[str]:
    """The text of the private key, in pieces of which each line has several."""
    lines = [line for line in KEY.read_text().splitlines() if not line.startswith("-----")]
    assert len(lines) > 20, f"{KEY} is not what it was"
    return [line[at : at + 16] for line in lines for at in range(0, len(line) - 15, 16)]


def either(words) -> str:
    return "|".join(re.escape(word) for word in words)


# The first that fits is the kind of what was found.
KINDS = {
    "the control word": re.escape(CONTROL),
    "an access token": rf"(?i:ya29\.[\w-]*{MARK})",
    "a refresh token": rf"(?i:1(?://|%2F%2F)[\w-]*{MARK})",
    "an authorization code": rf"(?i:4(?:/|%2F)[\w-]*{MARK})",
    "an OAuth client's secret": rf"(?i:GOCSPX-[\w-]*{MARK})",
    "a browser's session": rf"(?i:session-{MARK})",
    "a marked secret, or text of a private event": rf"(?i:{MARK})",
    "random bytes in base64: a state, verifier, invitation or key": either(in_base64(MARK.encode())),
    # Sixteen bytes alone are an id.
    "a key in hexadecimal": rf"(?i:{MARK.encode().hex()}[0-9a-f]{{17,}})",
    "a key's bytes": r",\s*".join(rf"(?:{byte}|0x{byte:x})" for byte in MARK.encode()),
    "a service account's private key": either(key_pieces()),
    "a signed assertion, or an identity": r"eyJ[\w-]{8,}\.[\w-]{8,}",
}
SEARCH = re.compile("|".join(f"({pattern})" for pattern in KINDS.values()).encode())

SAMPLES = {
    "the control word": f"TRACE {CONTROL}",
    "an access token": f"Bearer ya29.{MARK}-01",
    "a refresh token": f"token=1%2F%2F0{MARK}",
    "an authorization code": f"code=4/0{MARK}-01",
    "an OAuth client's secret": f"secret: GOCSPX-{MARK}",
    "a browser's session": f'"session-{MARK}-of-amy"',
    "a marked secret, or text of a private event": f"Title: {MARK.upper()} visit",
    "random bytes in base64: a state, verifier, invitation or key": base64.b64encode(b"a" + MARK.encode() + b"\x07" * 24).decode(),
    "a key in hexadecimal": (MARK.encode() + b"\x07" * 24).hex().upper(),
    "a key's bytes": str([*MARK.encode(), 7, 7]),
    "a service account's private key": "".join(key_pieces()[7:12])[3:],
    "a signed assertion, or an identity": "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJzeW5jIn0.c2lnbmVk",
}


def found_in(text: bytes):
    """What was found: its kind, and where."""
    for match in SEARCH.finditer(text):
        yield list(KINDS)[match.lastindex - 1], match.start()


def place(text: bytes, at: int) -> str:
    """The line, and the test whose output it is in."""
    before = text[:at]
    tests = re.findall(rb"^(?:---- (\S+) stdout ----|_+ (\S+) _+)$", before, re.MULTILINE)
    said_by = b"".join(tests[-1]).decode(errors="replace") if tests else ""
    line = before.count(b"\n") + 1
    return f"{line} (said by {said_by})" if said_by else f"{line}"


def begin_of_line(text: bytes, at: int) -> str:
    """What stands before it, which says who it was, and nothing of the secret."""
    return text[text.rfind(b"\n", 0, at) + 1 : at][:160].decode(errors="replace")


def main(directory: Path, named: list[str]) -> int:
    wrong = [
        f"a sample is not found: {kind}"
        for kind, sample in SAMPLES.items()
        if [found for found, _ in found_in(sample.encode())][:1] != [kind]
    ]
    assert SAMPLES.keys() == KINDS.keys()
    logs, outputs = sorted(directory.glob("logs/*.txt")), sorted(directory.glob("output/*.txt"))
    wrong += [f"nobody printed {name}" for name in named if directory / "output" / f"{name}.txt" not in outputs]
    leaks, lines, size = 0, 0, 0
    for path in [*outputs, *logs]:
        text = path.read_bytes()
        name, controls, told = path.relative_to(directory), 0, 0
        size += len(text)
        lines += text.count(b"\n") if path in logs else 0
        for kind, at in found_in(text):
            if kind == "the control word":
                controls += 1
                continue
            leaks += 1
            told += 1
            if told <= 10:
                wrong.append(f"{name}:{place(text, at)}: {kind}, after {begin_of_line(text, at)!r}")
        if told > 10:
            wrong.append(f"{name}: and {told - 10} more")
        if controls == 0 and (path in logs or path.stem in named):
            wrong.append(f"{name}: without the control word: it was not captured, or is not searched")
    if lines < LOGGED_MIN:
        wrong.append(f"{len(logs)} processes logged {lines} lines: what is logged was not captured")
    print("\n".join(wrong), end="\n" if wrong else "")
    print(f"{leaks} secrets in {len(outputs)} outputs and {lines} lines of {len(logs)} logs, {size >> 10} KiB")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
