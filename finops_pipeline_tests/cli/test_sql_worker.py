"""Statements of analysts can read, for a while, and nothing else."""

import hashlib
import io
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from finops_pipeline.cli.sql_worker import LIMITS, Job, answer
from finops_pipeline.errors import NotPublished, QueryError
from finops_pipeline.queries.published import open_published, stream_rows

FOREVER = {
    "recursion": "with recursive n as (select 1 as i union all select i + 1 from n) from n",
    "cross join": "select count(*) from range(10000000) as a, range(10000000) as b",
    "rows": "select repeat('x', 100000) from range(10000000)",
}
HUGE = {
    "value": "select repeat('x', 2000000000)",
    "list": "select list(range) from range(1000000000)",
}
# Statement, and a part of its refusal.
HOSTILE = {
    "from read_text('/etc/hostname')": "file system operations are disabled",
    "from read_csv('{data}/../finops.toml')": "file system operations are disabled",
    "from '{data}/state.db'": "file system operations are disabled",
    "from glob('/*')": "file system operations are disabled",
    "from parquet_metadata('/etc/hostname')": "file system operations are disabled",
    "from sniff_csv('/etc/hostname')": "file system operations are disabled",
    "from read_csv('http://127.0.0.1:9/x.csv')": "file system operations are disabled",
    "from read_parquet('s3://bucket/x')": "file system operations are disabled",
    "from sqlite_scan('{data}/state.db', 'windows')": "not in the catalog",
    "import database '/etc'": "file system operations are disabled",
    "attach '{data}/warehouse.duckdb' as other": "not attach",
    "attach ':memory:' as other": "not attach",
    "detach finops": "not detach",
    "use memory": "not set",
    "copy (select 1) to '{data}/lake/mine.parquet'": "not copy",
    "copy costs.daily from '{data}/lake/mine.parquet'": "not copy",
    "explain analyze copy (select 1) to '{data}/lake/mine.csv'": "not explain",
    "prepare mine as copy (select 1) to '{data}/lake/mine.csv'": "not prepare",
    "export database '{data}/lake/mine'": "not export",
    "install httpfs": "not load",
    "load httpfs": "not load",
    "set enable_external_access = true": "not set",
    "set memory_limit = '100GB'": "not set",
    "set lock_configuration = false": "not set",
    "reset memory_limit": "not set",
    "pragma enable_profiling": "not pragma",
    "pragma memory_limit = '100GB'": "not set",
    "call force_checkpoint()": "not call",
    "checkpoint": "not call",
    "vacuum": "not vacuum",
    "begin": "not transaction",
    "create table costs.mine as select 1": "not create",
    "create table memory.main.mine as select 1": "not create",
    "create temp table mine as select 1": "not create",
    "create or replace macro costs.now() as 1": "not create",
    "create view costs.mine as select 1": "not create",
    "create persistent secret mine (type http)": "not create",
    "drop table costs.daily": "not drop",
    "alter table costs.daily drop column team": "not alter",
    "comment on table costs.daily is 'mine'": "not alter",
    "insert into costs.daily select * from costs.daily": "not insert",
    "update costs.daily set team = 'mine'": "not update",
    "delete from costs.daily": "not delete",
    "select 1; drop table costs.daily": "not drop",
    "select 1; select 2": "one select is answered at a time",
    "select error('mine')": "mine",
}


def printed(demo: Path, query: str, row_limit: int = 1000, timeout_seconds: float = 20.0) -> str:
    """Return what the child prints."""
    output = io.BytesIO()
    answer(Job(str(demo / "data"), query, "csv", row_limit, timeout_seconds), output)
    return output.getvalue().decode()


def files(folder: Path) -> dict[str, str]:
    """Return every file, with a hash of its content."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_select_is_answered(published_demo):
    assert printed(published_demo, "select 1 as one, 'a' as letter") == "one,letter\r\n1,a\r\n"


def test_the_lake_is_read(published_demo):
    assert printed(published_demo, "select count(*) > 0 from raw.allocation").endswith("true\r\n")


def test_hostile_statements_are_refused_and_change_nothing(published_demo):
    before = files(published_demo)

    for statement, refusal in HOSTILE.items():
        with (
            open_published(published_demo / "data", LIMITS) as connection,
            pytest.raises(QueryError, match=re.escape(refusal)) as error,
        ):
            list(stream_rows(connection, statement.format(data=published_demo / "data")).rows)
        assert "\n" not in str(error.value), statement

    assert files(published_demo) == before


@pytest.mark.parametrize("statement", ["from read_text('/etc/hostname')", "drop table costs.daily"])
def test_the_child_refuses_them_too(published_demo, statement):
    with pytest.raises(QueryError, match=HOSTILE[statement]):
        printed(published_demo, statement)


def test_the_child_can_make_no_file_grow(tmp_path):
    # Also if DuckDB should let a statement write.
    code = (
        "import sys; from pathlib import Path; from finops_pipeline.cli import sql_worker;"
        "sql_worker._confine(sql_worker.Job('', '', '', 1, 9.0)); Path(sys.argv[1]).write_text('x')"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "grown"], capture_output=True, text=True
    )

    assert "File too large" in run.stderr


@pytest.mark.parametrize("query", FOREVER.values(), ids=FOREVER)
def test_what_does_not_end_is_ended(published_demo, query):
    begin = time.monotonic()

    with pytest.raises(QueryError, match=r"stopped after 0.5 s; --timeout allows more"):
        printed(published_demo, query, timeout_seconds=0.5, row_limit=10**9)

    assert time.monotonic() - begin < 20  # on a loaded machine; alone it is one second


@pytest.mark.parametrize("query", HUGE.values(), ids=HUGE)
def test_what_needs_too_much_memory_is_refused(published_demo, query):
    with pytest.raises(QueryError, match=r"^this needs more than 1 GiB of memory: ask"):
        printed(published_demo, query, timeout_seconds=60.0)


def test_a_child_that_does_not_heed_the_interruption_is_killed(published_demo, monkeypatch):
    monkeypatch.setattr("finops_pipeline.cli.sql_worker._GRACE_SECONDS", -0.4)

    with pytest.raises(QueryError, match=r"stopped after 0.5 s"):  # the parent was first
        printed(published_demo, FOREVER["cross join"], timeout_seconds=0.5)


def test_rows_beyond_the_limit_are_cut_and_said(published_demo):
    job = Job(str(published_demo / "data"), "from range(6)", "csv", 5, 20.0)

    notes = answer(job, output := io.BytesIO())

    assert output.getvalue() == b"range\r\n0\r\n1\r\n2\r\n3\r\n4\r\n"
    assert notes.endswith("\ncut after 5 rows; --limit allows more\n")
    assert "cut" not in answer(Job(job.data_dir, "from range(5)", "csv", 5, 20.0), io.BytesIO())


def test_ten_million_rows_need_no_memory(published_demo):
    # Rows are handed on as they come: as values of Python they would fill the child.
    query = "select range, repeat('x', 100) as text from range(10000000)"

    text = printed(published_demo, query, row_limit=200_000)

    assert text.count("\n") == 200_001


def test_the_child_knows_no_settings(published_demo, monkeypatch):
    # A variable that is no setting would be an error, had the child looked.
    monkeypatch.setenv("FINOPS_NO_SUCH_SETTING", "1")

    assert printed(published_demo, "select 1 as one") == "one\r\n1\r\n"


def test_nothing_published_is_one_sentence(tmp_path):
    with pytest.raises(QueryError, match=r"finops.duckdb does not exist yet: 'make demo' fills"):
        printed(tmp_path, "select 1")
    assert not issubclass(NotPublished, QueryError)
