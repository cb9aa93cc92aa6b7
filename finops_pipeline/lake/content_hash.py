"""What rows say, as one hash: decides whether a second reading says something new."""

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_NO_TEXT = -1  # length of a null, which no text has


def content_sha256(rows: pa.Table) -> str:
    """Hash of the values, in the order of rows and columns given.

    Chunks, dictionary encoding and compression do not count; -0.0 equals 0.0, and every NaN equals
    every other. Null, zero, NaN and the empty text are four different things.

    Args:
        rows: sorted by their natural key; columns of numbers, decimals, booleans, dates, instants
            and text.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256(str(rows.num_rows).encode())
    for name, column in zip(rows.column_names, map(_plain, rows.columns), strict=True):
        chunks = [_decoded(chunk) for chunk in column.chunks]
        kind = _decoded_type(column.type)
        digest.update(f"\n{name} {kind}\n".encode())
        sizes, values = (_lengths, _text) if pa.types.is_string(kind) else (_presence, _values)
        # The sizes of all chunks come before any value, so that borders between chunks vanish.
        for chunk in chunks:
            digest.update(sizes(chunk))
        for chunk in chunks:
            digest.update(values(chunk))
    return digest.hexdigest()


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Decimals and dates as text: no number holds every digit."""
    kinds = (pa.types.is_decimal, pa.types.is_date)
    return column.cast(pa.string()) if any(is_kind(column.type) for is_kind in kinds) else column


def _decoded_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _decoded(chunk: pa.Array) -> pa.Array:
    return chunk.dictionary_decode() if pa.types.is_dictionary(chunk.type) else chunk


def _presence(chunk: pa.Array) -> memoryview:
    return _buffer(pc.is_valid(chunk))


def _lengths(chunk: pa.StringArray) -> memoryview:
    return _buffer(pc.binary_length(chunk).fill_null(_NO_TEXT))


def _text(chunk: pa.StringArray) -> memoryview:
    """All text of a chunk, end to end; a null may hide bytes, so it is made empty first."""
    known = chunk.fill_null("") if chunk.null_count else chunk
    _, offsets, data = known.buffers()
    if not len(known) or data is None:
        return memoryview(b"")
    borders = np.frombuffer(offsets, np.int32)[known.offset : known.offset + len(known) + 1]
    return memoryview(data)[borders[0] : borders[-1]]


def _values(chunk: pa.Array) -> memoryview:
    if not pa.types.is_floating(chunk.type):
        chunk = chunk.cast(pa.int64())  # of an instant its microseconds, of a boolean 0 or 1
    known = chunk.fill_null(0) if chunk.null_count else chunk
    return _buffer(_one_zero_one_nan(known) if pa.types.is_floating(known.type) else known)


def _one_zero_one_nan(numbers: pa.Array) -> pa.Array:
    same = np.add(numbers.to_numpy(zero_copy_only=False), 0.0)  # -0.0 + 0.0 is 0.0
    same[np.isnan(same)] = np.nan
    return pa.array(same)


def _buffer(chunk: pa.Array) -> memoryview:
    values: NDArray[np.generic] = np.ascontiguousarray(chunk.to_numpy(zero_copy_only=False))
    return values.data
