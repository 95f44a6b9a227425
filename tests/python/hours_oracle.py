"""What working hours are, minute by minute: an oracle for the library's answers, and cases for both.

It was written from the rules (calsync-core/docs/working-hours.md) and shares neither code nor method with the library: every minute
of some days is asked of Python's `zoneinfo` what the clock shows, and coloured. What a wall time means as a start or as an
end is read off these minutes. It is slow, and there is little in it that can be wrong.

    python tests/python/hours_oracle.py PROGRAM [CASES] [SEED]

compares the answers of `hours-answers` with its own.
"""

import json
import random
import subprocess
import sys
import zoneinfo
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import tzdata

DAY = 1440
APPOINTMENTS = 25
WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
EPOCH = date(1970, 1, 1)

ZONES = [
    "America/New_York",
    "Europe/Dublin",  # winter is the exception there
    "Australia/Lord_Howe",  # half an hour
    "Africa/Casablanca",  # Ramadan
    "Pacific/Apia",  # no 30 December 2011
    "Asia/Kathmandu",
    "America/Nuuk",
    "Antarctica/Troll",  # two hours
    "Asia/Tehran",
    "UTC",
    # Clocks that change at midnight, or a minute after it.
    "America/St_Johns",
    "America/Sao_Paulo",
    "Asia/Beirut",
    "America/Havana",
]


def use_newest_zone_data() -> str:
    """The library takes the newer of the system's zone data and its own; so does this, with the package in place of that."""
    try:
        system = Path("/usr/share/zoneinfo/tzdata.zi").open().readline().strip().removeprefix("# version ")
    except OSError:
        system = ""
    if system > tzdata.IANA_VERSION:
        return system
    zoneinfo.reset_tzpath(to=[])
    zoneinfo.ZoneInfo.clear_cache()
    return tzdata.IANA_VERSION


# --- the oracle: minutes since 1970 throughout ---


class Minutes:
    """What the clock of a zone shows in each minute of a span of time."""

    def __init__(self, zone: str, first: int, last: int):
        self.zone, self.first = zoneinfo.ZoneInfo(zone), first
        base = datetime(1970, 1, 1)
        self.walls = []
        for minute in range(first, last):
            shown = datetime.fromtimestamp(minute * 60, self.zone).replace(tzinfo=None)
            self.walls.append((shown - base) // timedelta(minutes=1))
        self.earliest, self.latest = {}, {}
        for at, wall in enumerate(self.walls):
            self.earliest.setdefault(wall, at + first)
            self.latest[wall] = at + first

    def start(self, wall: int) -> int:
        return self.earliest[wall] if wall in self.earliest else self.after_gap(wall)

    def end(self, wall: int) -> int:
        return self.latest[wall] if wall in self.latest else self.after_gap(wall)

    def after_gap(self, wall: int) -> int:
        for at in range(1, len(self.walls)):
            if self.walls[at - 1] < wall < self.walls[at]:
                return at + self.first
        raise AssertionError(f"{wall} is not among these minutes")

    def shown(self, minute: int) -> str:
        return datetime.fromtimestamp(minute * 60, self.zone).replace(tzinfo=None).isoformat()


def covers(layer: dict, day: int) -> bool:
    days = (date.fromisoformat(layer[end]) - EPOCH for end in ("from", "until"))
    return next(days).days <= day <= next(days).days


class Painted:
    """The minutes of a span in the colours of a schedule."""

    def __init__(self, case: dict):
        schedule, first, last = case["schedule"], case["from"] // 60, case["until"] // 60
        self.first = first
        self.clock = Minutes(schedule["zone"], first - 4 * DAY, last + 5 * DAY)
        work, away, leave, holiday = (set() for _ in range(4))
        days = {}
        for day in range(first // DAY - 2, last // DAY + 3):
            layers = [layer for layer in schedule["layers"] + case["own"] if covers(layer, day)]
            of = {kind: [one for one in layers if one["kind"] == kind] for kind in KINDS}
            name = WEEKDAYS[(EPOCH + timedelta(days=day)).weekday()]
            usual = [period for period in schedule["weekly"] if period["day"] == name]
            instead = (of["override"] or of["holiday"])[-1:]
            periods = instead[0]["periods"] if instead else usual
            periods = periods + [period for one in of["extra"] for period in one["periods"]]
            ahead = schedule.get("from") and date.fromisoformat(schedule["from"]) > EPOCH + timedelta(days=day)
            over = schedule.get("until") and date.fromisoformat(schedule["until"]) < EPOCH + timedelta(days=day)
            whole = any(not one["periods"] for one in of["leave"])
            found = {"begin": self.clock.start(day * DAY), "valid": not (ahead or over), "leave": whole}
            if found["valid"]:
                spans = [self.span(day, period) for period in periods]
                minutes = set().union(*spans)
                (leave if whole else work).update(minutes)
                found["first"], found["last"] = min(minutes, default=None), max(minutes, default=None)
                for one in of["leave"]:
                    away.update(*(self.span(day, period) for period in one["periods"]))
                effective = of["holiday"][-1:] if not of["override"] else []
                found["holiday"] = bool(effective) and not effective[0]["periods"]
                if effective:
                    holiday.update(*(self.span(day, period) for period in usual))
            days[day] = found
        begins = sorted((found["begin"], day) for day, found in days.items())
        self.colours, at = [], 0
        for minute in range(first, last):
            while at + 1 < len(begins) and begins[at + 1][0] <= minute:
                at += 1
            day = days[begins[at][1]]
            if minute in work and minute not in away:
                colour = "work"
            elif not day["valid"]:
                colour = None
            elif day["leave"] or minute in away or minute in leave:
                colour = "leave"
            elif day["holiday"] or minute in holiday:
                colour = "holiday"
            elif day["first"] is None:
                colour = "day_off"
            elif minute < day["first"]:
                colour = "before_start"
            else:
                colour = "after_end" if minute > day["last"] else "break"
            self.colours.append(colour)

    def span(self, day: int, period: dict) -> range:
        return range(self.clock.start(day * DAY + period["start"]), self.clock.end(day * DAY + period["end"]))

    def answer(self, start: int, end: int) -> dict:
        """About an appointment, in seconds; without length, it is its first minute."""
        minutes = range(start // 60, max(end // 60, start // 60 + 1))
        colours = [self.colours[minute - self.first] for minute in minutes]
        known = {colour for colour in colours if colour}
        if not known:
            return {"verdict": "no_schedule", "outside": [], "left_out": 0}
        if known == {"work"}:
            return {"verdict": "inside", "outside": [], "left_out": 0}
        parts = []
        for minute, colour in zip(minutes, colours):
            if colour in ("work", None):
                continue
            if parts and parts[-1][1] == minute and parts[-1][2] == colour:
                parts[-1][1] = minute + 1
            else:
                parts.append([minute, minute + 1, colour])
        if end <= start:
            parts[0][1] = parts[0][0]
        shown = self.clock.shown
        outside = [[a * 60, b * 60, shown(a), shown(b), reason] for a, b, reason in parts]
        return {"verdict": "partly_outside" if "work" in known else "outside", "outside": outside, "left_out": 0}


# --- cases ---

KINDS = ["leave", "override", "holiday", "extra"]


def changes_of(zone: str) -> list[int]:
    """The minutes around which a zone changes its clocks, to a day."""
    info, found = zoneinfo.ZoneInfo(zone), []
    day = datetime(1971, 1, 1, tzinfo=timezone.utc)
    before = day.astimezone(info).utcoffset()
    while day.year < 2038:
        day += timedelta(days=1)
        offset = day.astimezone(info).utcoffset()
        if offset != before:
            found.append(int(day.timestamp()) // 60 - DAY // 2)
        before = offset
    return found


def some_periods(chance: random.Random, until: int, count: int) -> list[dict]:
    """Periods of a day that neither touch nor overlap; minutes are often those at which clocks change."""
    likely = [0, 30, 60, 90, 119, 120, 121, 150, 180, 540, 720, 780, 1020, 1320, 1380, 1410, 1439, 1440, 1500, 1560]
    pick = lambda: chance.choice(likely) if chance.random() < 0.6 else chance.randrange(until)
    cuts = sorted({min(pick(), until) for _ in range(2 * count)})
    pairs = zip(cuts[::2], cuts[1::2])
    return [{"start": start, "end": end} for start, end in pairs if start < DAY and end - start <= DAY]


def some_week(chance: random.Random) -> list[dict]:
    style = chance.random()
    if style < 0.3:
        hours = [{"start": 540, "end": 720}, {"start": 780, "end": 1020}]
        return [{"day": day} | period for day in WEEKDAYS[:5] for period in hours]
    if style < 0.4:
        return [{"day": day, "start": 0, "end": DAY} for day in chance.sample(WEEKDAYS, chance.randint(1, 7))]
    week = []
    for day in WEEKDAYS:
        if chance.random() < 0.8:
            week.append(some_periods(chance, 2 * DAY - 1 if chance.random() < 0.5 else DAY, chance.randint(1, 3)))
        else:
            week.append([])
    for at, periods in enumerate(week):
        following = week[(at + 1) % 7]
        while periods and following and periods[-1]["end"] > following[0]["start"] + DAY:
            (periods if chance.random() < 0.5 else following).pop(-1 if chance.random() < 0.5 else 0)
    for at, periods in enumerate(week):  # once more: what was taken away may have been what was in order
        following = week[(at + 1) % 7]
        while periods and following and periods[-1]["end"] > following[0]["start"] + DAY:
            periods.pop()
    return [{"day": day} | period for day, periods in zip(WEEKDAYS, week) for period in periods]


def some_layers(chance: random.Random, day: date, count: int) -> list[dict]:
    layers = []
    for _ in range(count):
        first = day + timedelta(days=chance.randint(-2, 6))
        length = chance.choice([0, 0, 0, 1, 3])
        periods = []
        kind = chance.choice(KINDS)
        if kind == "extra" or chance.random() < 0.5:
            periods = some_periods(chance, 2 * DAY - 1 if length == 0 else DAY, chance.randint(1, 2))
        if kind != "extra" or periods:
            last = first + timedelta(days=length)
            layers.append({"kind": kind, "from": str(first), "until": str(last), "periods": periods})
    return layers


def some_case(chance: random.Random, changes: dict) -> dict:
    zone = chance.choice(ZONES)
    if changes[zone] and chance.random() < 0.7:
        around = chance.choice(changes[zone])
    else:
        around = chance.randrange(2 * 365 * DAY, 66 * 365 * DAY)
    if zone == "Pacific/Apia" and chance.random() < 0.3:
        around = 22_088_160  # 2011-12-30, in UTC
    first = around - chance.randint(0, 4 * DAY)
    last = first + 4 * DAY
    day = EPOCH + timedelta(days=first // DAY)
    schedule = {"zone": zone, "weekly": some_week(chance), "layers": some_layers(chance, day, chance.choice([0, 0, 1, 3]))}
    if chance.random() < 0.1:
        schedule["from"] = str(day + timedelta(days=chance.randint(-1, 3)))
    if chance.random() < 0.1:
        schedule["until"] = str(day + timedelta(days=chance.randint(3, 5)))
    appointments = []
    for _ in range(APPOINTMENTS):
        length = chance.choice([0, 1, 15, 30, 60, 60, 90, 120, 480, chance.randrange(2 * DAY), chance.randrange(-60, 300)])
        start = chance.randrange(first, last - max(length, 1))
        if chance.random() < 0.5:
            start -= start % 15
        start = max(start, first)
        appointments.append([start * 60, (start + length) * 60])
    return {
        "schedule": schedule,
        "own": some_layers(chance, day, chance.choice([0, 0, 1, 2])),
        "from": first * 60,
        "until": last * 60,
        "appointments": appointments,
    }


def compare(program: str, cases: int, seed: int) -> dict:
    """Asks both; how many appointments came to which verdict and to which reason. Ends with the first difference."""
    use_newest_zone_data()
    chance = random.Random(seed)
    changes = {zone: changes_of(zone) for zone in ZONES}
    tally = {}
    command = [program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as library:
        for number in range(-(-cases // APPOINTMENTS)):
            case = some_case(chance, changes)
            library.stdin.write(json.dumps(case) + "\n")
            library.stdin.flush()
            painted = Painted(case)
            said = json.loads(library.stdout.readline())
            where = f"schedule {number} of seed {seed}: {json.dumps(case)}"
            assert "answers" in said, f"{said}\n{where}"
            for (start, end), answer in zip(case["appointments"], said["answers"], strict=True):
                expected = painted.answer(start, end)
                assert answer == expected, f"{start} to {end}:\n{answer}, but it is\n{expected}\n{where}"
                for word in [answer["verdict"], *(part[4] for part in answer["outside"])]:
                    tally[word] = tally.get(word, 0) + 1
        library.stdin.close()
        assert library.wait(30) == 0
    return tally


if __name__ == "__main__":
    program, *rest = sys.argv[1:]
    count, seed = (int(given) for given in (rest + ["2000", "1"][len(rest) :]))
    print(f"zone data {use_newest_zone_data()}: {compare(program, count, seed)}")
