"""States that change over time, kept as changes: what to store of a listing, and back again.

A state of an object is all its rows of one window; objects are told apart by their uid. What has
vanished is stored once more as it last was, with ``is_deleted``. Nothing here looks at the clock, a
file or a server.
"""

from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc


def newest_states(schema: pa.Schema, tables: list[pa.Table], before: datetime) -> pa.Table:
    """Return the newest state of each object that still existed, from rows stored in any order.

    Args:
        schema: columns of the table; what an older version did not store is null.
        tables: rows of one cluster, a whole listing and changes since.
        before: what was stored from this window on is left out.
    """
    every = pa.concat_tables([schema.empty_table(), *tables], promote_options="default")
    rows = every.select(schema.names).filter(pc.less(every["window_start"], before))
    newest = rows.group_by("uid").aggregate([("window_start", "max")])
    at = pc.index_in(rows["uid"], value_set=_values(newest["uid"]))
    is_newest = pc.equal(rows["window_start"], newest["window_start_max"].take(at))
    return rows.filter(pc.and_(is_newest, pc.invert(rows["is_deleted"])))


def all_states(before: pa.Table, now: pa.Table, start: datetime) -> pa.Table:
    """Return all states, and what has vanished since: a day that begins so needs no other.

    Args:
        before: the newest states stored before.
        now: the states listed.
        start: the window they are stored under.
    """
    return _combine(now, _vanished(before, now, start))


def changed_states(before: pa.Table, now: pa.Table, start: datetime) -> pa.Table:
    """Return the states that differ in any column but the window, and what has vanished."""
    chunks = [*_differing(before, now).chunks, *_removed(before, now).chunks]
    uids = _values(pa.chunked_array(chunks, pa.string()))
    differing = now.filter(pc.is_in(now["uid"], value_set=uids))
    return _combine(differing, _vanished(before, now, start))


def _differing(before: pa.Table, now: pa.Table) -> pa.ChunkedArray:
    """Return uids of rows that are new or differ."""
    at = pc.index_in(_key(now), value_set=_values(_key(before)))
    old = before.take(at)
    is_same = pc.is_valid(at)
    for name in now.column_names:
        if name != "window_start":
            is_same = pc.and_(is_same, _equal(now[name], old[name]))
    return now["uid"].filter(pc.invert(is_same))


def _removed(before: pa.Table, now: pa.Table) -> pa.ChunkedArray:
    """Return uids of rows that are no longer there."""
    is_gone = pc.invert(pc.is_in(_key(before), value_set=_values(_key(now))))
    return before["uid"].filter(is_gone)


def _equal(left: pa.ChunkedArray, right: pa.ChunkedArray) -> pa.ChunkedArray:
    """Compare values; null equals null, unlike in SQL."""
    both_null = pc.and_(pc.is_null(left), pc.is_null(right))
    return pc.or_(both_null, pc.fill_null(pc.equal(left, right), fill_value=False))


def _vanished(before: pa.Table, now: pa.Table, start: datetime) -> pa.Table:
    gone = before.filter(pc.invert(pc.is_in(before["uid"], value_set=_values(now["uid"]))))
    return move_to_window(_constant(gone, "is_deleted", value=True), start)


def move_to_window(rows: pa.Table, start: datetime) -> pa.Table:
    """Return the same rows, stored under another window."""
    return _constant(rows, "window_start", start)


def _constant(rows: pa.Table, name: str, value: object) -> pa.Table:
    at, field = rows.schema.get_field_index(name), rows.schema.field(name)
    return rows.set_column(at, field, pa.repeat(pa.scalar(value, field.type), rows.num_rows))


def _combine(listed: pa.Table, gone: pa.Table) -> pa.Table:
    return sort_states(pa.concat_tables([listed, gone.cast(listed.schema)]))


def sort_states(rows: pa.Table) -> pa.Table:
    """Sort the rows of one window by what tells them apart: the order of a listing is no news."""
    names = ["uid", "container"] if "container" in rows.column_names else ["uid"]
    return rows.sort_by([(name, "ascending") for name in names])


def _key(rows: pa.Table) -> pa.ChunkedArray:
    """Return the key that tells rows apart; no uid and no name of a container holds a slash."""
    if "container" not in rows.column_names:
        return rows["uid"]
    return pc.binary_join_element_wise(rows["uid"], rows["container"], "/")


def _values(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks()
