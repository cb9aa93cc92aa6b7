"""Patterns mean here what they mean in SQL, and what is said of two of them is true of names."""

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import product

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finops_pipeline.settings.overlap import covers, holds, matches, meet, outlasts

MONDAY = date(2026, 3, 2)
LETTERS = "ab-."
NAMES = st.text(LETTERS, max_size=6)
PATTERNS = st.text(f"{LETTERS}**?", min_size=1, max_size=6)


@dataclass(frozen=True)
class Held:
    """Something with a validity."""

    valid_from: date | None
    valid_until: date | None


DAYS = st.integers(0, 6).map(lambda count: MONDAY + timedelta(count))
HELD = st.builds(Held, st.none() | DAYS, st.none() | DAYS).filter(
    lambda it: not it.valid_from or not it.valid_until or it.valid_from < it.valid_until
)
WEEK = [MONDAY + timedelta(count) for count in range(-1, 8)]


@given(PATTERNS, NAMES)
def test_a_pattern_is_for_the_names_that_sql_finds(pattern, name):
    ((found,),) = duckdb.execute(
        "select $name glob $pattern", {"name": name, "pattern": pattern}
    ).fetchall()

    assert matches(pattern, name) == found


def test_a_pattern_that_covers_another_is_for_all_of_its_names():
    patterns = ["".join(it) for length in (1, 2, 3, 4) for it in product("a*?", repeat=length)]
    names = ["".join(it) for length in range(6) for it in product("ab", repeat=length)]
    found = {pattern: {name for name in names if matches(pattern, name)} for pattern in patterns}
    covered = [
        (wide, narrow) for wide, narrow in product(patterns, patterns) if covers(wide, narrow)
    ]

    assert [(wide, narrow) for wide, narrow in covered if not found[narrow] <= found[wide]] == []
    assert len(covered) > 1000


@st.composite
def narrowed(draw: st.DrawFn) -> tuple[str, str]:
    """A pattern, and the same with something said for its * and ?."""
    wide = draw(PATTERNS)
    stands = {"*": st.text(f"{LETTERS}*?", max_size=3), "?": st.sampled_from(f"{LETTERS}?")}
    return wide, "".join(draw(stands[it]) if it in stands else it for it in wide)


@given(narrowed())
def test_a_pattern_covers_each_that_says_more(pair):
    assert covers(*pair)


@given(PATTERNS)
def test_a_pattern_covers_itself_and_is_covered_by_any_text(pattern):
    assert covers(pattern, pattern)
    assert covers("*", pattern)
    assert covers(f"*{pattern}", pattern)


@given(st.text("ab*", max_size=5), st.text("ab*", max_size=5))
def test_of_patterns_without_single_characters_every_cover_is_found(wide, narrow):
    """A letter that the wide pattern does not have can only be met by a * of it."""
    assert covers(wide, narrow) == matches(wide, narrow.replace("*", "cc"))


@pytest.mark.parametrize(
    ("wide", "narrow", "is_covered"),
    [
        ("*", "*", True),
        ("shop-*", "shop-eu-*", True),
        ("shop-?", "shop-1", True),
        ("shop-?", "shop-*", False),
        ("shop-*", "shop-?", True),
        ("*-prod", "shop-*", False),
        ("shop", "shop*", False),
        ("a?", "?a", False),
    ],
)
def test_patterns_of_people_are_compared(wide, narrow, is_covered):
    assert covers(wide, narrow) == is_covered


@given(HELD, HELD)
def test_two_that_meet_hold_on_one_day(one, other):
    assert meet(one, other) == any(holds(one, day) and holds(other, day) for day in WEEK)


@given(HELD, HELD)
def test_what_outlasts_holds_on_every_day_of_the_other(long, short):
    far = [date(1, 1, 1), *WEEK, date(9000, 1, 1)]

    assert outlasts(long, short) == all(holds(long, day) for day in far if holds(short, day))


@given(HELD)
def test_the_first_day_holds_and_the_last_does_not(it):
    assert it.valid_from is None or holds(it, it.valid_from)
    assert it.valid_until is None or not holds(it, it.valid_until)
