"""The library's answers about working hours against an oracle that looks at every minute.

CALSYNC_HOURS_CASES says how many appointments are compared; CALSYNC_HOURS_SEED which ones.
"""

import os
import subprocess

import pytest

import hours_oracle
from conftest import program_of


@pytest.fixture(scope="session")
def hours_answers() -> str:
    """The program that answers for the library: HOURS_ANSWERS_BIN, or what cargo builds."""
    return program_of("hours-answers", "HOURS_ANSWERS_BIN")


def test_c20_every_answer_is_the_one_of_the_minutes(hours_answers):
    cases = int(os.environ.get("CALSYNC_HOURS_CASES", "2000"))
    seed = int(os.environ.get("CALSYNC_HOURS_SEED", "1"))
    tally = hours_oracle.compare(hours_answers, cases, seed)
    print(tally)
    words = {"inside", "partly_outside", "outside", "no_schedule"}
    words |= {"before_start", "after_end", "break", "day_off", "holiday", "leave"}
    assert tally.keys() == words, "not everything was met"


def test_a_question_that_is_no_schedule_is_refused_and_the_next_one_is_answered(hours_answers):
    bad = '{"schedule":{"zone":"Mars/Olympus_Mons"},"own":[],"from":0,"until":60,"appointments":[]}\n'
    good = bad.replace("Mars/Olympus_Mons", "UTC")
    said = subprocess.run([hours_answers], input=bad + good, capture_output=True, text=True, timeout=30, check=True)
    assert said.stdout.splitlines() == ['{"refused":"zone Mars/Olympus_Mons: an unknown time zone"}', '{"answers":[]}']
