"""Hash of the content of rows: decides whether a second reading says something new.

Equal readings must not make anything anew, though their files may differ byte by byte.
"""

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_NO_TEXT = -1  # length of a null, which no text has


def content_sha256(rows: pa.Table) -> str:
    """Hash the values of rows, in the order of rows and columns.

    Chunks, dictionary encoding and compression do not count; -0.0 equals 0.0, and every NaN equals
    every other. Null, zero, NaN and the empty text are four different things.

    Args:
        rows: sorted by their natural key; columns of numbers, decimals, booleans, dates, instants
            and text.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256(str(rows.num_rows).encode())
    for name, column in zip(rows.column_names, map(_write_as_text, rows.columns), strict=True):
        chunks = [_decode(chunk) for chunk in column.chunks]
        kind = _value_type(column.type)
        digest.update(f"\n{name} {kind}\n".encode())
        sizes, values = (_lengths, _text) if pa.types.is_string(kind) else (_presence, _values)
        # The sizes of all chunks come before any value, so that borders between chunks vanish.
        for chunk in chunks:
            digest.update(sizes(chunk))
        for chunk in chunks:
            digest.update(values(chunk))
    return digest.hexdigest()


def _write_as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Write decimals and dates as text, since no number holds every digit; leave all else."""
    kinds = (pa.types.is_decimal, pa.types.is_date)
    return column.cast(pa.string()) if any(is_kind(column.type) for is_kind in kinds) else column


def _value_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _decode(chunk: pa.Array) -> pa.Array:
    return chunk.dictionary_decode() if pa.types.is_dictionary(chunk.type) else chunk


def _presence(chunk: pa.Array) -> memoryview:
    return _buffer(pc.is_valid(chunk))


def _lengths(chunk: pa.StringArray) -> memoryview:
    return _buffer(pc.binary_length(chunk).fill_null(_NO_TEXT))


def _text(chunk: pa.StringArray) -> memoryview:
    """Return the text of a chunk, end to end; a null may hide bytes, so it is made empty first."""
    texts = chunk.fill_null("") if chunk.null_count else chunk
    _, offsets, data = texts.buffers()
    if not len(texts) or data is None:
        return memoryview(b"")
    borders = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return memoryview(data)[borders[0] : borders[-1]]


def _values(chunk: pa.Array) -> memoryview:
    if not pa.types.is_floating(chunk.type):
        chunk = chunk.cast(pa.int64())  # of an instant its microseconds, of a boolean 0 or 1
    numbers = chunk.fill_null(0) if chunk.null_count else chunk
    return _buffer(_unify(numbers) if pa.types.is_floating(numbers.type) else numbers)


def _unify(numbers: pa.Array) -> pa.Array:
    """Give every zero one sign, and every NaN one form."""
    unified = np.add(numbers.to_numpy(zero_copy_only=False), 0.0)  # -0.0 + 0.0 is 0.0
    unified[np.isnan(unified)] = np.nan
    return pa.array(unified)


def _buffer(chunk: pa.Array) -> memoryview:
    values: NDArray[np.generic] = np.ascontiguousarray(chunk.to_numpy(zero_copy_only=False))
    return values.data
