"""The process that answers ``finops sql``, and what it may take of the machine.

A statement of an analyst runs in a child of its own: what it costs, or breaks, ends with it.
DuckDB keeps it from reading and writing anything but the published file and the lake; the limits
of the system hold where DuckDB's do not.
"""

import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from shutil import copyfileobj
from subprocess import PIPE, Popen
from threading import Event, Timer
from typing import IO, Any, BinaryIO

import duckdb
import msgspec

from finops_pipeline.cli.printing import DEMO_MARK, PRINTERS, print_note
from finops_pipeline.errors import FinopsError, QueryError
from finops_pipeline.queries.published import Limits, open_published, stream_rows
from finops_pipeline.queries.status import is_demo
from finops_pipeline.units import GIB

LIMITS = Limits(memory_bytes=GIB, thread_count=2)
# One value may be larger than DuckDB's limit: repeat('x', 2000000000) took 3.9 GB under 256 MB.
_ADDRESS_SPACE_BYTES = 2 * GIB
_GRACE_SECONDS = 5.0  # between the interruption and the end of a child that does not heed it
_LONGEST_MESSAGE = 2000  # a select may raise any text; the unread pipe holds 64 KiB
_TOO_LARGE = (
    f"this needs more than {LIMITS.memory_bytes / GIB:g} GiB of memory: ask for less, or open the"
    " published file with a DuckDB of your own"
)
_SETTINGS_PREFIX = "FINOPS_"  # addresses and tokens: the child needs none of them


class Job(msgspec.Struct, frozen=True):
    """Select, and how it is to be answered."""

    data_dir: str
    query: str
    style: str
    row_limit: int
    timeout_seconds: float


def answer(job: Job, output: BinaryIO) -> str:
    """Answer in a child process; hand on what it prints while it does.

    Returns:
        Notes on the answer, for stderr.

    Raises:
        QueryError: it was refused, failed, or took too long or too much memory.
    """
    with _start_child(job) as child, _kill_after(child, job.timeout_seconds) as is_killed:
        copyfileobj(_require_pipe(child.stdout), output)
        notes = _require_pipe(child.stderr).read().decode()
        status = child.wait()
    if is_killed.is_set():
        raise _timeout_error(job)
    if status < 0:
        name = signal.Signals(-status).name
        raise QueryError(f"the process that answered ended with {name}; it asked for too much")
    if status:
        lines = notes.splitlines() or ["the process that answered ended without a word"]
        raise QueryError(lines[-1])
    return notes


@contextmanager
def _start_child(job: Job) -> Iterator[Popen[bytes]]:
    """Start a child that answers; it ends with the block, also with an error in it."""
    environment = {
        name: text for name, text in os.environ.items() if not name.startswith(_SETTINGS_PREFIX)
    }
    # -P: a file of the working directory must not pass for one of Python's modules.
    command = [sys.executable, "-P", "-m", "finops_pipeline.cli.sql_worker"]
    child = Popen(  # noqa: S603  # this module
        command, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environment
    )
    with child:
        try:
            with _require_pipe(child.stdin) as stdin:
                stdin.write(msgspec.json.encode(job))
            yield child
        finally:
            child.kill()  # Ctrl-C, or the reader of the output has left


def _require_pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise ValueError("the child was started without a pipe")
    return pipe


@contextmanager
def _kill_after(child: Popen[bytes], seconds: float) -> Iterator[Event]:
    is_killed = Event()

    def kill() -> None:
        is_killed.set()
        child.kill()

    with _timer(seconds + _GRACE_SECONDS, kill):
        yield is_killed


@contextmanager
def _timer(seconds: float, act: Callable[[], None]) -> Iterator[None]:
    timer = Timer(seconds, act)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _timeout_error(job: Job) -> QueryError:
    return QueryError(f"stopped after {job.timeout_seconds:g} s; --timeout allows more")


def main() -> None:
    """Answer the job on standard input; an error raised on purpose is the last line of stderr."""
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    _confine(job)
    try:
        _print_answer(job)
    except FinopsError as error:
        sys.exit(str(error)[:_LONGEST_MESSAGE])
    except MemoryError:
        sys.exit(_TOO_LARGE)


def _confine(job: Job) -> None:
    """Limit what this process may take, where DuckDB does not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    limits = {
        resource.RLIMIT_CPU: int(job.timeout_seconds * LIMITS.thread_count + 2 * _GRACE_SECONDS),
        resource.RLIMIT_FSIZE: 0,  # pipes have no size: nothing else is written to
        resource.RLIMIT_CORE: 0,
    }
    if sys.platform == "linux":  # macOS knows the limit, and does not let it be set
        limits[resource.RLIMIT_AS] = _ADDRESS_SPACE_BYTES
    for kind, limit in limits.items():
        resource.setrlimit(kind, (limit, limit))


def _print_answer(job: Job) -> None:
    with (
        open_published(Path(job.data_dir), LIMITS) as connection,
        _interrupt_after(connection, job) as is_late,
    ):
        if is_demo(connection):
            print_note(DEMO_MARK)
        try:
            stream = stream_rows(connection, job.query)
            rows = _require_time(stream.rows, job, is_late)
            PRINTERS[job.style](stream.columns, islice(rows, job.row_limit))
            if next(rows, None):
                print_note(f"cut after {job.row_limit} rows; --limit allows more")
        except QueryError as error:
            if is_late.is_set():
                raise _timeout_error(job) from error
            if isinstance(error.__cause__, duckdb.OutOfMemoryException):
                raise QueryError(_TOO_LARGE) from error
            raise


@contextmanager
def _interrupt_after(connection: duckdb.DuckDBPyConnection, job: Job) -> Iterator[Event]:
    is_late = Event()

    def interrupt() -> None:
        is_late.set()
        connection.interrupt()

    with _timer(job.timeout_seconds, interrupt):
        yield is_late


def _require_time(rows: Iterator[Any], job: Job, is_late: Event) -> Iterator[Any]:
    """Yield rows while there is time: DuckDB does not notice an interruption between two."""
    for row in rows:
        if is_late.is_set():
            raise _timeout_error(job)
        yield row


if __name__ == "__main__":
    main()
