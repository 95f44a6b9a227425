"""Random recurrence rules against python-dateutil, where it is right.

What it is known to take otherwise is not drawn: BYWEEKNO without days (it gives all seven), weekly rules with BYSETPOS (it counts places from the
start in the first week), numbered days next to plain ones (it drops one kind), and steps by hours and less in a zone (it
steps on the wall clock). Its answers are wall times; what they mean in a zone says zoneinfo, which knows nothing of calsync.

CALSYNC_DATEUTIL_RULES says how many rules are made, CALSYNC_RECURRENCE_SEED from which seed on.
"""

import json
import os
import random
import subprocess
from datetime import datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

RULES = int(os.environ.get("CALSYNC_DATEUTIL_RULES", "500"))
SEED = int(os.environ.get("CALSYNC_RECURRENCE_SEED", "1"))
ZONES = ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Sao_Paulo", "Africa/Casablanca"]
FREQS = ["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"]
DAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
COMPARED = 15
# Zone data differs between machines for what is still to come.
LAST_YEAR = 2024
ANSWER_SECONDS_MAX = 600


def numbers(chance: random.Random, highest: int, negative: bool = False, lowest: int = 1) -> str:
    picked = {chance.randint(lowest, highest) for _ in range(chance.randint(1, 3))}
    return ",".join(str(-n if negative and chance.random() < 0.3 else n) for n in sorted(picked))


def days(chance: random.Random, freq: str, parts: dict) -> str:
    numbered = freq in ("YEARLY", "MONTHLY") and "BYWEEKNO" not in parts and chance.random() < 0.5
    highest = 5 if freq == "MONTHLY" or "BYMONTH" in parts else 53
    number = (lambda: numbers(chance, highest, negative=True).split(",")[0]) if numbered else (lambda: "")
    return ",".join(number() + day for day in chance.sample(DAYS, chance.randint(1, 3)))


def draw(chance: random.Random) -> dict:
    """The parts of a rule that RFC 5545 allows and dateutil reads as it is meant."""
    freq = chance.choice(FREQS)
    parts = {"FREQ": freq, "INTERVAL": str(chance.randint(1, 4)), "WKST": chance.choice(DAYS)}
    # dateutil goes step by step: what it would look for all its life is not asked.
    steps_far = FREQS.index(freq) < 4
    if steps_far and chance.random() < 0.3:
        parts["BYMONTH"] = numbers(chance, 12)
    if steps_far and freq != "WEEKLY" and chance.random() < 0.3:
        parts["BYMONTHDAY"] = numbers(chance, 28 if "BYMONTH" in parts else 31, negative=True)
    if freq == "YEARLY" and chance.random() < 0.15:
        parts["BYYEARDAY"] = numbers(chance, 366, negative=True)
    if freq == "YEARLY" and chance.random() < 0.2:
        parts["BYWEEKNO"] = numbers(chance, 53)
    if "BYWEEKNO" in parts or (freq not in ("MINUTELY", "SECONDLY") and chance.random() < 0.5):
        parts["BYDAY"] = days(chance, freq, parts)
    if chance.random() < 0.25:
        parts["BYHOUR"] = numbers(chance, 23, lowest=0)
    if chance.random() < 0.25:
        parts["BYMINUTE"] = numbers(chance, 59, lowest=0)
    if freq in ("YEARLY", "MONTHLY") and len(parts) > 3 and chance.random() < 0.25:
        parts["BYSETPOS"] = numbers(chance, 4, negative=True)
    if chance.random() < 0.3:
        parts["COUNT"] = str(chance.randint(1, 40))
    return parts


def is_known_to_differ(parts: dict) -> bool:
    """What crosses the year by weeks steps by years of weeks here, and by calendar years there."""
    weeks = [int(week) for week in parts.get("BYWEEKNO", "5").split(",")]
    return parts["INTERVAL"] != "1" and not all(2 <= week <= 51 for week in weeks)


def question_of(seed: int) -> dict | None:
    chance = random.Random(seed)
    parts = draw(chance)
    if is_known_to_differ(parts):
        return None
    moment = datetime(1990, 1, 1) + timedelta(seconds=chance.randrange(20 * 365 * 86_400))
    kind = chance.choice(["day", "floating", "zone"])
    coarse = FREQS.index(parts["FREQ"]) < 4
    if kind == "day" and coarse:
        parts = {name: value for name, value in parts.items() if name not in ("BYHOUR", "BYMINUTE")}
        if "BYSETPOS" in parts and not any(name.startswith("BY") and name != "BYSETPOS" for name in parts):
            del parts["BYSETPOS"]
        moment = datetime.combine(moment.date(), time())
    dtstart = moment.date().isoformat() if kind == "day" and coarse else moment.isoformat()
    tzid = chance.choice(ZONES) if kind == "zone" and coarse else None
    until = None
    if "COUNT" not in parts and chance.random() < 0.4:
        # Noon, where no clock changes.
        until = datetime.combine(moment.date() + timedelta(days=chance.randrange(1200 if coarse else 3)), time(12))
    rules = [("RRULE", parts)]
    if coarse and chance.random() < 0.3:
        # The same rule, but twice as seldom, or of the days of one month only.
        other = {name: value for name, value in parts.items() if name != "COUNT"}
        if parts["FREQ"] == "YEARLY" or chance.random() < 0.5:
            other["INTERVAL"] = str(2 * int(parts["INTERVAL"]))
        else:
            other["BYMONTH"] = str(chance.randint(1, 12))
        if not is_known_to_differ(other):
            rules.append(("EXRULE", other))
    lines = [rule_line(name, parts, until_text(until, dtstart, tzid)) for name, parts in rules]
    # What dateutil is asked: it has no zone here, and the same wall time as the end.
    walls = [rule_line(name, parts, until_text(until, dtstart, None)) for name, parts in rules]
    return {"seed": seed, "dtstart": dtstart, "tzid": tzid, "lines": lines, "count": 3 * COMPARED, "walls": walls}


def rule_line(name: str, parts: dict, until: str) -> str:
    end = until if name == "RRULE" else ""
    return f"{name}:" + ";".join(f"{part}={value}" for part, value in parts.items()) + end


def until_text(until: datetime | None, dtstart: str, tzid: str | None) -> str:
    """As the value of UNTIL has to be for such a start."""
    if until is None:
        return ""
    if "T" not in dtstart:
        return f";UNTIL={until:%Y%m%d}"
    if tzid:
        return f";UNTIL={until.replace(tzinfo=ZoneInfo(tzid)).astimezone(timezone.utc):%Y%m%dT%H%M%SZ}"
    return f";UNTIL={until:%Y%m%dT%H%M%S}"


def theirs(asked: dict) -> list[datetime]:
    """The first occurrences as instants, or as wall times where there is no zone; nothing after LAST_YEAR."""
    start = datetime.fromisoformat(asked["dtstart"])
    end = datetime(LAST_YEAR + 1, 1, 1)
    found = []
    try:
        rule, *exceptions = [rrulestr(line.split(":", 1)[1], dtstart=start) for line in asked["walls"]]
    except ValueError as nothing:
        assert "empty set" in str(nothing), asked
        return []
    for wall in rule.xafter(start, count=4 * COMPARED, inc=True):
        if wall >= end:
            break
        found.append(wall)
    # Not by its own sets, which fail where one of them ends.
    for exception in exceptions:
        left_out = set(exception.between(start, found[-1], inc=True)) if found else set()
        found = [wall for wall in found if wall not in left_out]
    if asked["tzid"]:
        zone = ZoneInfo(asked["tzid"])
        found = sorted({wall.replace(tzinfo=zone).astimezone(timezone.utc).replace(tzinfo=None) for wall in found})
    return found[:COMPARED]


def test_random_rules_give_what_dateutil_gives_where_it_is_right(expand_rules_program):
    asked = [question for seed in range(SEED, SEED + RULES) if (question := question_of(seed))]
    lines = "".join(json.dumps(question) + "\n" for question in asked)
    ran = subprocess.run(
        [expand_rules_program], input=lines, stdout=subprocess.PIPE, text=True, check=True, timeout=ANSWER_SECONDS_MAX
    )
    answers = [json.loads(line) for line in ran.stdout.splitlines()]
    assert len(answers) == len(asked)
    wrong, compared = [], 0
    for question, answer in zip(asked, answers):
        assert "starts" in answer, (question, answer)
        expected = theirs(question)
        ours = [datetime.fromisoformat(instant.removesuffix("Z")) for _, instant in answer["starts"]][: len(expected)]
        compared += bool(expected)
        if ours != expected:
            differ = next(at for at in range(len(expected)) if ours[at : at + 1] != expected[at : at + 1])
            wrong.append((question, differ, ours[differ : differ + 1], expected[differ : differ + 1]))
    assert not wrong, f"{len(wrong)} of {compared} differ, the first: {wrong[:5]}"
    assert compared > len(asked) / 2
