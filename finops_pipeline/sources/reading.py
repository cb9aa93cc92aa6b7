"""Readings that every source hands on, and what counts as an answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from finops_pipeline import http
from finops_pipeline.catalog.raw_schemas import raw_schema
from finops_pipeline.errors import ServerClockDiffers, ServerError, TableError
from finops_pipeline.sources.retry import RetryBudget
from finops_pipeline.units import rfc3339

# Windows settle for 5 minutes: beyond that a server has not seen the end of one, or forgets early.
REFUSED_CLOCK_DIFFERENCE = timedelta(seconds=300)
REPORTED_CLOCK_DIFFERENCE = timedelta(seconds=60)

NULL = msgspec.Raw(b"null")

_EMPTY_JSON = pa.array(["{}", "[]"])

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Reading:
    """Answer of one source about one cluster and window.

    Args:
        cluster: name in the settings.
        window_start: first instant of the window, UTC.
        fetched_at: when it was asked, UTC.
        tables: rows by raw table, such as ``raw.allocation``, with the columns of its
            ``create table``, sorted by what tells rows apart: equal answers give equal tables.
        is_verified: independent views agree.
        is_degraded: kept although something in it is known to be wrong.
        reason: why it is unverified or degraded.
        minutes_ratio: minutes that containers which ran all the time are said to have run, over
            15; below 1 the source loses time everywhere. None where no container is known to have.
        clock_difference: how far the source's clock is ahead of ours; None where it does not say.
        is_final: it can never be read again, however young it is.
    """

    cluster: str
    window_start: datetime
    fetched_at: datetime
    tables: Mapping[str, pa.Table]
    is_verified: bool = True
    is_degraded: bool = False
    reason: str | None = None
    minutes_ratio: float | None = None
    clock_difference: timedelta | None = None
    is_final: bool = False


def fetch_with_retries(
    cluster: str,
    fetch: Callable[[Callable[[], float]], _Result],
    budget: RetryBudget | None = None,
) -> _Result:
    """Fetch until an answer is complete and right, as far as the retry budget goes.

    Args:
        cluster: named in the error.
        fetch: asks and parses; is given a function that returns the seconds left for it.
        budget: of the tick; by default one of its own.

    Raises:
        ServerError: of the last attempt.
    """
    try:
        return (budget or RetryBudget()).call(fetch)
    except ServerError as error:
        raise type(error)(f"cluster {cluster}: {error}") from error


def check_clock(answer: http.Answer) -> http.Answer:
    """Return the answer, if the clock of its server and ours agree.

    Raises:
        ServerClockDiffers: by more than 300 s.
    """
    ahead = answer.clock_difference
    if ahead is not None and answer.sent_at and abs(ahead) > REFUSED_CLOCK_DIFFERENCE:
        raise ServerClockDiffers(
            f"{answer.request}: its clock says {rfc3339(answer.sent_at)}, ours"
            f" {rfc3339(answer.received_at)}: synchronise both machines (NTP)"
        )
    return answer


def parse_answer(answer: http.Answer, parse: Callable[[bytes], _Result]) -> _Result:
    """Parse an answer.

    Args:
        answer: what came.
        parse: raises ``ValueError`` or msgspec's errors for what it cannot read or accept.

    Raises:
        ServerMalformed: naming the request, the reason and the first 200 bytes.
    """
    try:
        return parse(answer.body)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise answer.malformed(error) from error


def raw_table(
    table_name: str,
    cluster: str,
    start: datetime,
    columns: Mapping[str, Sequence[object] | pa.Array],
) -> pa.Table:
    """Return rows of a raw table, of one cluster and window.

    Args:
        table_name: such as ``raw.allocation``.
        cluster: the same in every row.
        start: the same in every row.
        columns: all others by name, of one length, in the order of the rows.

    Raises:
        ValueError: a required value is missing, or of another type.
        TableError: the columns are not those of the ``create table``.
    """
    schema, same = raw_schema(table_name), {"cluster": cluster, "window_start": start}
    if schema.names[:2] != [*same] or columns.keys() != {*schema.names[2:]}:
        raise TableError(f"{table_name} has the columns {schema.names}, not {[*same, *columns]}")
    count = len(columns[schema.names[2]])
    arrays = [
        pa.repeat(pa.scalar(same[column.name], column.type), count)
        if column.name in same
        else _array(columns[column.name], column)
        for column in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _array(values: Sequence[object] | pa.Array, column: pa.Field) -> pa.Array:
    array = values if isinstance(values, pa.Array) else pa.array(values, column.type)
    if array.null_count and not column.nullable:
        raise ValueError(f"{column.name} is missing in {array.null_count} rows")
    return array


def raw_json(values: Sequence[msgspec.Raw], opening: str = "{") -> pa.Array:
    """Return JSON objects or lists as text, as they came; null for one that is missing or empty.

    Their text goes end to end: a copy of each would cost more than all else about them.

    Args:
        values: as msgspec leaves them, never decoded.
        opening: what each begins with: ``{`` or ``[``.

    Raises:
        ValueError: one is neither null nor begins so.
    """
    if values.count(NULL) == len(values):
        return pa.nulls(len(values), pa.string())
    borders = np.zeros(len(values) + 1, np.int32)
    np.cumsum(np.fromiter(map(len, values), np.int32, len(values)), out=borders[1:])
    buffers = (pa.py_buffer(borders), pa.py_buffer(b"".join(values)))
    texts = pa.StringArray.from_buffers(len(values), *buffers)
    is_null = pc.equal(texts, "null")
    if not pc.all(pc.or_(is_null, pc.starts_with(texts, opening)), min_count=0).as_py():
        raise ValueError(f"JSON that is not {'an object' if opening == '{' else 'a list'}")
    is_empty = pc.or_(is_null, pc.is_in(texts, value_set=_EMPTY_JSON))
    return pc.if_else(is_empty, None, texts) if pc.any(is_empty).as_py() else texts
