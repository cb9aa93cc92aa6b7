"""Stored changes give back every listing that they were made from."""

from datetime import UTC, datetime

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from finops_pipeline.sources.kubernetes import states
from finops_pipeline.units import WINDOW

MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)
SCHEMA = pa.schema(
    [
        pa.field("cluster", pa.string(), nullable=False),
        pa.field("window_start", pa.timestamp("us", "UTC"), nullable=False),
        pa.field("uid", pa.string(), nullable=False),
        pa.field("container", pa.string(), nullable=False),
        pa.field("size", pa.float64()),
        pa.field("is_deleted", pa.bool_(), nullable=False),
    ]
)
# What exists: objects, each with containers, each with a size that may be unknown.
SIZES = st.one_of(st.none(), st.sampled_from([1.0, 2.0]))
OBJECTS = st.dictionaries(
    st.sampled_from("abc"),
    st.dictionaries(st.sampled_from("xy"), SIZES, min_size=1),
)


def listing(objects: dict[str, dict[str, float | None]], start: datetime) -> pa.Table:
    rows = [
        {
            "cluster": "prod",
            "window_start": start,
            "uid": uid,
            "container": container,
            "size": size,
            "is_deleted": False,
        }
        for uid, containers in sorted(objects.items())
        for container, size in sorted(containers.items())
    ]
    return pa.Table.from_pylist(rows, SCHEMA)


def content(rows: pa.Table) -> list[tuple[str, str, float | None]]:
    return sorted(
        ((row["uid"], row["container"], row["size"]) for row in rows.to_pylist()), key=str
    )


def store(history: list[dict[str, dict[str, float | None]]], first: datetime) -> list[pa.Table]:
    """Keep of listings, one a window, what a platform keeps."""
    stored: list[pa.Table] = []
    for number, objects in enumerate(history):
        start = first + number * WINDOW
        before = states.newest_states(SCHEMA, stored, start)
        is_first_of_day = number == 0 or start.date() != (start - WINDOW).date()
        keep = states.all_states if is_first_of_day else states.changed_states
        stored.append(keep(before, listing(objects, start), start))
    return stored


@given(st.lists(OBJECTS, min_size=1, max_size=8))
def test_changes_replayed_from_any_days_start_are_the_listings(history):
    first = MIDNIGHT - 3 * WINDOW  # so that midnight comes in between
    stored = store(history, first)

    for number, objects in enumerate(history):
        midnights = [at for at in (0, 3) if at <= number]
        for begin in midnights:
            known = states.newest_states(SCHEMA, stored[begin:], first + (number + 1) * WINDOW)
            assert content(known) == content(listing(objects, first))


@given(OBJECTS)
def test_a_listing_that_says_the_same_changes_nothing(objects):
    before, now = listing(objects, MIDNIGHT), listing(objects, MIDNIGHT + WINDOW)

    assert states.changed_states(before, now, MIDNIGHT + WINDOW).num_rows == 0


@given(OBJECTS, OBJECTS)
def test_only_objects_that_differ_are_stored(before, now):
    rows = states.changed_states(
        listing(before, MIDNIGHT), listing(now, MIDNIGHT + WINDOW), MIDNIGHT + WINDOW
    )

    differing = {uid for uid in before.keys() | now.keys() if before.get(uid) != now.get(uid)}
    assert set(rows["uid"].to_pylist()) == differing
    assert set(rows["window_start"].to_pylist()) <= {MIDNIGHT + WINDOW}
    deleted = {row["uid"] for row in rows.to_pylist() if row["is_deleted"]}
    assert deleted == before.keys() - now.keys()


def test_what_an_older_version_did_not_store_is_unknown():
    old = listing({"a": {"x": 1.0}}, MIDNIGHT).drop_columns(["size"])

    known = states.newest_states(SCHEMA, [old], MIDNIGHT + WINDOW)

    assert known.schema.names == SCHEMA.names
    assert known["size"].to_pylist() == [None]
