"""Opening DuckDB files: for one writer at a time, in UTC, without downloads."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from finops_pipeline.errors import WarehouseBusy, WarehouseDamaged
from finops_pipeline.warehouse.connect import connect, connect_read_only, hold_lock
from finops_pipeline_tests import programs

HOLD = """
import sys
from pathlib import Path
from finops_pipeline.warehouse.connect import connect, hold_lock
with {hold}(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process(hold: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a process that holds a lock or a database until the block ends."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD.format(hold=hold), str(path)],
        cwd=programs.ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "warehouse.duckdb"


def test_lock_that_stays_taken_names_the_process(path):
    with (
        another_process("hold_lock", path) as other,
        pytest.raises(WarehouseBusy, match=f"process {other.pid} keeps warehouse.duckdb to itself"),
        hold_lock(path, timeout_seconds=0),
    ):
        raise AssertionError("two processes hold the lock")


def test_lock_ends_with_its_process_however_it_ends(path):
    with another_process("hold_lock", path) as other:
        other.send_signal(signal.SIGKILL)
        other.wait()

        with hold_lock(path, timeout_seconds=5):
            assert path.with_suffix(".lock").read_text() == str(os.getpid())


def test_lock_is_free_again_after_an_error(path):
    with pytest.raises(ZeroDivisionError), hold_lock(path):
        _ = 1 / 0

    with hold_lock(path, timeout_seconds=0):
        pass


def test_the_process_that_opens_the_private_database_is_named(tmp_path):
    path = tmp_path / "warehouse.duckdb"

    with (
        another_process("connect", path) as other,
        pytest.raises(WarehouseBusy, match=rf"private to the pipeline; close it: .*{other.pid}"),
    ):
        connect(path)


def test_a_file_that_is_no_database_is_not_said_to_be_taken(tmp_path):
    path = tmp_path / "warehouse.duckdb"
    path.write_bytes(b"not a database" * 1000)

    with pytest.raises(WarehouseDamaged, match=r"warehouse\.duckdb cannot be read: .*not a valid"):
        connect(path)


def test_every_connection_is_in_utc(tmp_path, time_zone):
    path = tmp_path / "any.duckdb"
    query = "select '2026-11-01 05:30:00+00'::timestamptz::varchar, current_setting('TimeZone')"
    with connect(path) as writing:
        assert writing.execute(query).fetchall() == [("2026-11-01 05:30:00+00", "UTC")]

    with connect_read_only(path) as reading:
        assert reading.execute(query).fetchall() == [("2026-11-01 05:30:00+00", "UTC")]
        assert reading.cursor().execute(query).fetchall() == [("2026-11-01 05:30:00+00", "UTC")]


def test_the_warehouse_takes_little_of_the_machine_and_spills_the_rest(tmp_path):
    everything = "select n, repeat('x', 200) || n as text from range(4_000_000) as numbers(n)"
    with connect(tmp_path / "warehouse.duckdb") as connection:
        connection.execute(f"create table sorted as {everything} order by text")
        ((limit, count),) = connection.execute(
            "select current_setting('memory_limit'), count(*) from sorted"
        ).fetchall()

    assert (limit, count) == ("512.0 MiB", 4_000_000)


def test_what_a_killed_process_had_logged_is_taken_up(tmp_path):
    # DuckDB cannot by itself, when a comment follows a check with a function in it.
    path = tmp_path / "warehouse.duckdb"
    code = (
        "import os, sys; from pathlib import Path\n"
        "from finops_pipeline.warehouse.connect import connect\n"
        "connection = connect(Path(sys.argv[1]))\n"
        "connection.execute('create table cost (a double check (isfinite(a)), b integer)')\n"
        "connection.execute(\"comment on column cost.b is 'what'\")\n"
        "connection.execute('insert into cost values (1, 2)')\n"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert path.with_suffix(".duckdb.wal").exists()

    with connect(path) as connection:
        assert connection.execute("from cost").fetchall() == [(1, 2)]


def test_a_second_reader_in_the_process_may_come_after_settings_are_locked(tmp_path):
    path = tmp_path / "any.duckdb"
    connect(path).close()

    with connect_read_only(path) as first:
        first.execute("set lock_configuration = true")
        with connect_read_only(path) as second:
            assert second.execute("select current_setting('TimeZone')").fetchall() == [("UTC",)]


def test_readers_cannot_write(tmp_path):
    path = tmp_path / "any.duckdb"
    connect(path).close()

    with connect_read_only(path) as reader, pytest.raises(duckdb.InvalidInputException):
        reader.execute("create table mine (one integer)")


def test_files_are_in_the_format_of_duckdb_1_5(tmp_path):
    with connect(tmp_path / "any.duckdb") as connection:
        ((tags,),) = connection.execute(
            "select tags from duckdb_databases() where database_name = 'any'"
        ).fetchall()

    assert tags["storage_version"].startswith("v1.5.0")
