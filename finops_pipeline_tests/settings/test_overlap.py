"""Patterns match the names that SQL matches, and two are compared by the names they match."""

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import product

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finops_pipeline.settings.overlap import holds, is_longer, is_simultaneous, is_wider, matches

MONDAY = date(2026, 3, 2)
LETTERS = "ab-."
NAMES = st.text(LETTERS, max_size=6)
PATTERNS = st.text(f"{LETTERS}**?", min_size=1, max_size=6)


@dataclass(frozen=True)
class Entry:
    """Entry of the settings that holds for some days."""

    valid_from: date | None
    valid_until: date | None


DAYS = st.integers(0, 6).map(lambda count: MONDAY + timedelta(count))
ENTRIES = st.builds(Entry, st.none() | DAYS, st.none() | DAYS).filter(
    lambda entry: (
        not entry.valid_from or not entry.valid_until or entry.valid_from < entry.valid_until
    )
)
WEEK = [MONDAY + timedelta(count) for count in range(-1, 8)]


def texts(letters: str, *lengths: int) -> list[str]:
    """Return every text of these letters and lengths."""
    return ["".join(text) for length in lengths for text in product(letters, repeat=length)]


@given(PATTERNS, NAMES)
def test_a_pattern_is_for_the_names_that_sql_finds(pattern, name):
    ((is_match,),) = duckdb.execute(
        "select $name glob $pattern", {"name": name, "pattern": pattern}
    ).fetchall()

    assert matches(pattern, name) == is_match


def test_a_pattern_that_covers_another_is_for_all_of_its_names():
    patterns = texts("a*?", 1, 2, 3, 4)
    names = texts("ab", *range(6))
    matched = {pattern: {name for name in names if matches(pattern, name)} for pattern in patterns}
    covered = [
        (wide, narrow) for wide, narrow in product(patterns, patterns) if is_wider(wide, narrow)
    ]

    assert [
        (wide, narrow) for wide, narrow in covered if not matched[narrow] <= matched[wide]
    ] == []
    assert len(covered) > 1000


@st.composite
def narrowed(draw: st.DrawFn) -> tuple[str, str]:
    """Draw a pattern, and the same with other text for its * and ?."""
    wide = draw(PATTERNS)
    replacements = {"*": st.text(f"{LETTERS}*?", max_size=3), "?": st.sampled_from(f"{LETTERS}?")}
    return wide, "".join(
        draw(replacements[sign]) if sign in replacements else sign for sign in wide
    )


@given(narrowed())
def test_a_pattern_covers_each_that_says_more(pair):
    assert is_wider(*pair)


@given(PATTERNS)
def test_a_pattern_covers_itself_and_is_covered_by_any_text(pattern):
    assert is_wider(pattern, pattern)
    assert is_wider("*", pattern)
    assert is_wider(f"*{pattern}", pattern)


@given(st.text("ab*", max_size=5), st.text("ab*", max_size=5))
def test_of_patterns_without_single_characters_every_cover_is_found(wide, narrow):
    # A letter that the wide pattern does not have can only be met by a * of it.
    assert is_wider(wide, narrow) == matches(wide, narrow.replace("*", "cc"))


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
    assert is_wider(wide, narrow) == is_covered


@given(ENTRIES, ENTRIES)
def test_simultaneous_entries_hold_on_one_day(first, second):
    both = any(holds(first, day) and holds(second, day) for day in WEEK)

    assert is_simultaneous(first, second) == both


@given(ENTRIES, ENTRIES)
def test_the_longer_entry_holds_on_every_day_of_the_other(long, short):
    far = [date(1, 1, 1), *WEEK, date(9000, 1, 1)]

    assert is_longer(long, short) == all(holds(long, day) for day in far if holds(short, day))


@given(ENTRIES)
def test_the_first_day_holds_and_the_last_does_not(entry):
    assert entry.valid_from is None or holds(entry, entry.valid_from)
    assert entry.valid_until is None or not holds(entry, entry.valid_until)
