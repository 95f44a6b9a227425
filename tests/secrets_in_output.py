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
# So many places of a file are told.
PLACES_MAX = 10


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


# What stands in front of the word says which secret it is; the first that fits counts.
MARKED = {
    "the control word": r"control-",
    "an access token": r"ya29\.[\w-]*",
    "a refresh token": r"1(?://|%2f%2f)[\w-]*",
    "an authorization code": r"4(?:/|%2f)[\w-]*",
    "an OAuth client's secret": r"gocspx-[\w-]*",
    "a browser's session": r"session-",
    "a marked secret, or text of a private event": r"",
}
MARKED = {kind: re.compile(f"{before}{MARK}$".encode()) for kind, before in MARKED.items()}
# Other forms: what is looked for, and what it has to be the beginning of.
FORMS = [
    *(("random bytes in base64: a state, verifier, invitation or key", text, "") for text in in_base64(MARK.encode())),
    *(("a service account's private key", piece, "") for piece in key_pieces()),
    ("a key's bytes", "110,", r",\s*".join(str(byte) for byte in MARK.encode())),
    ("a key's bytes", "0x6e,", r",\s*".join(f"0x{byte:x}" for byte in MARK.encode())),
    ("a signed assertion, or an identity", "eyJ", r"[\w-]{11,}\.[\w-]{8,}"),
    # Sixteen bytes alone are an id.
    ("a key in hexadecimal", MARK.encode().hex(), r"[0-9a-f]{33,}"),
    ("a key in hexadecimal", MARK.encode().hex().upper(), r"[0-9A-F]{33,}"),
]
FORMS = [(kind, text.encode(), re.compile(whole.encode())) for kind, text, whole in FORMS]

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


def places(text: bytes, word: bytes):
    at = text.find(word)
    while at >= 0:
        yield at
        at = text.find(word, at + 1)


def found_in(text: bytes) -> list[tuple[int, str]]:
    """Where something was found, and its kind."""
    found, lower = [], text.lower()
    for at in places(lower, MARK.encode()):
        until = lower[max(0, at - 64) : at + len(MARK)]
        found.append((at, next(kind for kind, marked in MARKED.items() if marked.search(until))))
    for kind, word, whole in FORMS:
        found += [(at, kind) for at in places(text, word) if whole.match(text, at)]
    return sorted(found)


def place(text: bytes, at: int) -> str:
    """The line, and the test whose output it is in."""
    before = text[:at]
    tests = re.findall(rb"^(?:---- (\S+) stdout ----|_+ (\S+) _+)$", before, re.MULTILINE)
    said_by = b"".join(tests[-1]).decode(errors="replace") if tests else ""
    line = before.count(b"\n") + 1
    return f"{line} (said by {said_by})" if said_by else f"{line}"


def main(directory: Path, named: list[str]) -> int:
    wrong = [
        f"a sample is not found: {kind}"
        for kind, sample in SAMPLES.items()
        if kind not in (found for _, found in found_in(sample.encode()))
    ]
    assert SAMPLES.keys() == MARKED.keys() | {kind for kind, _, _ in FORMS}
    logs, outputs = sorted(directory.glob("logs/*.txt")), sorted(directory.glob("output/*.txt"))
    wrong += [f"nobody printed {name}" for name in named if directory / "output" / f"{name}.txt" not in outputs]
    leaks, lines, size = 0, 0, 0
    for path in [*outputs, *logs]:
        text = path.read_bytes()
        name, controls, told, line, before = path.relative_to(directory), 0, set(), -1, ""
        size += len(text)
        lines += text.count(b"\n") if path in logs else 0
        for at, kind in found_in(text):
            if kind == "the control word":
                controls += 1
                continue
            leaks += 1
            begin = text.rfind(b"\n", 0, at) + 1
            if begin != line:
                # What stands before the first secret of a line says who it was, and nothing of any.
                line, before = begin, text[begin : min(at, begin + 160)].decode(errors="replace")
            if (line, kind) not in told and len(told) < PLACES_MAX:
                wrong.append(f"{name}:{place(text, at)}: {kind}, after {before!r}")
            told.add((line, kind))
        if len(told) > PLACES_MAX:
            wrong.append(f"{name}: and {len(told) - PLACES_MAX} more")
        if controls == 0 and (path in logs or path.stem in named):
            wrong.append(f"{name}: without the control word: it was not captured, or is not searched")
    if lines < LOGGED_MIN:
        wrong.append(f"{len(logs)} processes logged {lines} lines: what is logged was not captured")
    print("\n".join(wrong), end="\n" if wrong else "")
    print(f"{leaks} secrets in {len(outputs)} outputs and {lines} lines of {len(logs)} logs, {size >> 10} KiB")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
