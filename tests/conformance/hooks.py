"""What schemathesis is told about this API: how its scalars are written, and what counts as a failure.

Errors are normal answers to random arguments. A failure is an error without a code, an internal one, text of the
database or of Rust in a message, a status of the server's fault, or an answer that is not JSON.
"""

import re

import schemathesis
from hypothesis import strategies as st
from schemathesis import graphql

LEAKS = re.compile(
    r"sqlx|sea[_-]?orm|sqlite|postgres|panicked|RUST_|src/\S+\.rs|SELECT\s.+\sFROM|INSERT INTO|"
    r"constraint failed|violates|::\w+::|\bNone\b|\bSome\(|Err\(",
    re.IGNORECASE,
)


def text(strategy):
    return strategy.map(graphql.nodes.String)


ID = text(
    st.one_of(
        st.from_regex(r"(pat|apt|svc|loc|room|mem|usr)_[0-7][0-9a-hjkmnp-tv-z]{25}", fullmatch=True),
        st.text(max_size=40),
    )
)
DATE = text(st.one_of(st.dates().map(str), st.text(max_size=12)))
INSTANT = text(st.one_of(st.datetimes().map(lambda at: at.isoformat() + "Z"), st.text(max_size=30)))

for name, strategy in {
    "DateTime": INSTANT,
    "NaiveDate": DATE,
    "Date": DATE,
    "NaiveTime": text(st.one_of(st.times().map(lambda at: at.isoformat("minutes")), st.text(max_size=9))),
    "LocalTime": text(st.one_of(st.times().map(lambda at: at.isoformat("minutes")), st.text(max_size=9))),
    "JSON": text(st.text(max_size=40)),
    "UUID": text(st.uuids().map(str)),
}.items():
    graphql.scalar(name, strategy)


@schemathesis.check
def answers_as_documented(ctx, response, case):
    assert response.status_code < 500, f"status {response.status_code}"
    assert "json" in response.headers["content-type"][0], response.headers["content-type"]
    body = response.json()
    for error in body.get("errors", []):
        code = error.get("extensions", {}).get("code")
        assert code, f"an error without a code: {error}"
        assert code != "INTERNAL", f"an internal error: {error}"
        assert error["extensions"].get("requestId"), f"an error without the request's id: {error}"
        assert not LEAKS.search(error["message"]), f"a message of the machinery: {error['message']}"
