"""Reads a calendar file from standard input and prints what is in it, as JSON."""

import json
import sys

import icalendar

calendar = icalendar.Calendar.from_ical(sys.stdin.buffer.read())


def text(component, name):
    value = component.get(name)
    return None if value is None else str(value)


def instant(component, name):
    value = component.decoded(name)
    assert value.utcoffset() is not None, f"{name} is in no zone"
    return int(value.timestamp())


json.dump(
    {
        "method": text(calendar, "METHOD"),
        "name": text(calendar, "X-WR-CALNAME"),
        "zones": len(calendar.walk("VTIMEZONE")),
        "errors": [str(error) for component in calendar.walk() for error in component.errors],
        "events": [
            {
                "uid": text(event, "UID"),
                "sequence": int(event["SEQUENCE"]),
                "status": text(event, "STATUS"),
                "transparency": text(event, "TRANSP"),
                "summary": text(event, "SUMMARY"),
                "location": text(event, "LOCATION"),
                "organizer": text(event, "ORGANIZER"),
                "start": instant(event, "DTSTART"),
                "end": instant(event, "DTEND"),
                "stamp": instant(event, "DTSTAMP"),
                "properties": sorted(event.keys()),
            }
            for event in calendar.walk("VEVENT")
        ],
    },
    sys.stdout,
)
