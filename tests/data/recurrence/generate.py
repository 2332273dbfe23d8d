"""Writes expansions.json: what python-dateutil makes of recurrence rules, for the test of our own expansion.

    pip install python-dateutil==4.0.0 tzdata==2025.2
    python generate.py > expansions.json

The time zones are those of tzdata 2025b, which chrono-tz 0.10.4 carries: whoever moves one moves both.

The rules and the choice of dates are ours; the output is a list of facts computed from them, and carries
the project's licence.
"""

import itertools
import json
import random
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo, reset_tzpath

from dateutil.rrule import rrulestr, rruleset

reset_tzpath(to=())  # Only the package, never the machine's own.

ZONES = {
    # A start before the clocks go forward, and one before they go back, on the hour that is skipped or repeated.
    "Europe/Berlin": ["2027-03-22T02:30", "2026-10-19T02:30", "2026-11-30T09:00"],
    "America/New_York": ["2027-03-08T02:30", "2026-10-26T01:30", "2026-06-15T16:00"],
    "Australia/Lord_Howe": ["2026-09-28T02:15", "2027-03-29T01:45"],
    "America/Santiago": ["2026-08-31T00:00", "2027-03-29T23:30"],
    "Asia/Beirut": ["2027-03-22T00:00", "2026-10-19T23:30"],
    "Africa/Casablanca": ["2027-02-01T02:30", "2027-03-08T02:30"],
    "Africa/Cairo": ["2027-04-24T00:00", "2026-10-26T23:30"],
    "Asia/Kathmandu": ["2026-12-01T09:00"],
}

RULES = [
    "FREQ=DAILY;COUNT=12",
    "FREQ=DAILY;INTERVAL=3;COUNT=12",
    "FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR;COUNT=15",
    "FREQ=DAILY;BYMONTH=3,10;COUNT=20",
    "FREQ=DAILY;BYMONTHDAY=1,15,-1;COUNT=9",
    "FREQ=WEEKLY;COUNT=10",
    "FREQ=WEEKLY;INTERVAL=2;COUNT=10",
    "FREQ=WEEKLY;BYDAY=MO,WE,FR;COUNT=15",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=MO;COUNT=10",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=SU;COUNT=10",
    "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=8",
    "FREQ=WEEKLY;BYMONTH=1,4,11;BYDAY=SA,SU;COUNT=14",
    "FREQ=MONTHLY;COUNT=14",
    "FREQ=MONTHLY;INTERVAL=5;COUNT=8",
    "FREQ=MONTHLY;BYMONTHDAY=31;COUNT=8",
    "FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=14",
    "FREQ=MONTHLY;BYMONTHDAY=1,-1,15;COUNT=18",
    "FREQ=MONTHLY;BYDAY=1MO;COUNT=14",
    "FREQ=MONTHLY;BYDAY=-1SU;COUNT=14",
    "FREQ=MONTHLY;BYDAY=2TU,4TU;COUNT=14",
    "FREQ=MONTHLY;BYDAY=5FR;COUNT=6",
    "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13;COUNT=6",
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=14",
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1,3,-2;COUNT=18",
    "FREQ=MONTHLY;BYMONTH=3,9;BYDAY=SU;COUNT=16",
    "FREQ=MONTHLY;INTERVAL=2;BYDAY=-2TH;COUNT=9",
    "FREQ=YEARLY;COUNT=6",
    "FREQ=YEARLY;INTERVAL=2;COUNT=4",
    "FREQ=YEARLY;BYMONTH=2,10;COUNT=10",
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;COUNT=2",
    "FREQ=YEARLY;BYMONTHDAY=10;COUNT=14",
    "FREQ=YEARLY;BYDAY=20MO;COUNT=6",
    "FREQ=YEARLY;BYDAY=-1FR;COUNT=6",
    "FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU;COUNT=6",
    "FREQ=YEARLY;BYMONTH=1,7;BYDAY=MO;BYSETPOS=2,-1;COUNT=10",
    "FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=5",
]


def random_rule(rng):
    frequency = rng.choice(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"])
    parts = [f"FREQ={frequency}"]
    if rng.random() < 0.5:
        parts.append(f"INTERVAL={rng.randint(2, 4)}")
    days = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
    has_by = False
    if rng.random() < 0.6:
        chosen = rng.sample(days, rng.randint(1, 4))
        # Numbered and plain weekdays are never mixed: python-dateutil asks for both, the standard for either.
        if frequency in ("MONTHLY", "YEARLY") and rng.random() < 0.5:
            chosen = [f"{rng.choice([1, 2, 3, 4, -1, -2])}{day}" for day in chosen]
        parts.append("BYDAY=" + ",".join(chosen))
        has_by = True
    if frequency != "WEEKLY" and rng.random() < 0.4:
        month_days = rng.sample([*range(1, 32), -1, -2, -15], rng.randint(1, 6))
        parts.append("BYMONTHDAY=" + ",".join(map(str, month_days)))
        has_by = True
    if rng.random() < 0.3:
        months = sorted(rng.sample(range(1, 13), rng.randint(1, 5)))
        parts.append("BYMONTH=" + ",".join(map(str, months)))
        has_by = True
    if has_by and frequency != "DAILY" and rng.random() < 0.4:
        positions = rng.sample([1, 2, 3, -1, -2], rng.randint(1, 2))
        parts.append("BYSETPOS=" + ",".join(map(str, positions)))
    if rng.random() < 0.3:
        parts.append("WKST=" + rng.choice(days))
    return ";".join(parts)


def expand(zone, start, rule, left_out):
    aware = start.replace(tzinfo=ZoneInfo(zone))
    rules = rruleset()
    rules.rrule(rrulestr(rule, dtstart=aware))
    for local in left_out:
        rules.exdate(local.replace(tzinfo=ZoneInfo(zone)))
    # Ours goes no further than ten years.
    limit = start.replace(year=start.year + 10)
    return list(itertools.takewhile(lambda at: at.replace(tzinfo=None) <= limit, rules))


def main():
    rng = random.Random(20261121)
    cases = []

    def add(zone, start, rule, left_out=()):
        at = expand(zone, start, rule, left_out)
        cases.append({
            "zone": zone,
            "start": start.isoformat(timespec="minutes"),
            "rule": rule,
            "exceptions": [local.isoformat(timespec="minutes") for local in left_out],
            "local": [one.replace(tzinfo=None).isoformat(timespec="minutes") for one in at],
            "utc": [one.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M") for one in at],
        })

    starts = [(zone, datetime.fromisoformat(text)) for zone, texts in ZONES.items() for text in texts]
    for number, rule in enumerate(RULES):
        for zone, start in (starts[number % len(starts)], starts[(number * 7 + 3) % len(starts)]):
            add(zone, start, rule)
    for zone, start in starts:
        # Across the change of the clocks, day by day and week by week, up to an end in UTC.
        until = (start.replace(tzinfo=ZoneInfo(zone)) + timedelta(days=20)).astimezone(timezone.utc)
        add(zone, start, f"FREQ=DAILY;UNTIL={until:%Y%m%dT%H%M%SZ}")
        add(zone, start, "FREQ=WEEKLY;COUNT=6")
        left_out = [start + timedelta(days=days) for days in (1, 2, 6)]
        add(zone, start, "FREQ=DAILY;COUNT=14", left_out)
    for _ in range(150):
        zone, start = rng.choice(starts)
        add(zone, start, random_rule(rng) + f";COUNT={rng.randint(2, 14)}")
    print("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]")


main()
