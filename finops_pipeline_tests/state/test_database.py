"""Opening the state database: made once, migrated, and only ever used for one installation."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, column, insert, select, table, text

from finops_pipeline.errors import StateError
from finops_pipeline.state import migrations
from finops_pipeline.state.connect import begin_writing, connect
from finops_pipeline.state.database import open_state
from finops_pipeline.state.tables import REVISION, ledger_day, lookback, metadata
from finops_pipeline.state.types import Instant


@contextmanager
def engine_of(url: str) -> Iterator[Engine]:
    engine = connect(url)
    yield engine
    engine.dispose()


def test_an_installation_keeps_its_identity(state_url):
    with open_state(state_url, is_demo=True, currency="EUR") as first:
        installation = first.installation
    with open_state(state_url, is_demo=True, currency="EUR") as second:
        assert second.installation == installation

    assert (installation.is_demo, installation.currency) == (True, "EUR")
    assert installation.created_at.tzname() == "UTC"


def test_all_who_open_a_new_database_at_once_see_one_installation(state_url):
    def identity(_: int) -> str:
        with open_state(state_url, is_demo=False, currency="USD") as opened:
            return opened.installation.installation_id

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(identity, range(4)))) == 1


def test_the_migrations_make_the_tables_that_the_code_knows(state_url):
    open_state(state_url, is_demo=False, currency="USD").close()

    with engine_of(state_url) as engine, engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, metadata)
        connection.rollback()

    assert differences == []
    assert ScriptDirectory(migrations.__path__[0]).get_heads() == [REVISION]


def test_a_database_of_an_older_version_keeps_its_rows_under_the_names_of_today(state_url):
    config = Config()
    config.set_main_option("script_location", "finops_pipeline.state:migrations")
    config.set_main_option("path_separator", "os")
    place = {"cluster": "prod", "start": datetime(2026, 3, 1, tzinfo=UTC)}
    with engine_of(state_url) as engine, begin_writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        former = table("horizon", column("table_name"), column("cluster"), column("start", Instant))
        connection.execute(insert(former), {"table_name": "raw.price", **place})
        day = {"day": date(2025, 3, 1), "cluster": "prod", "revision": 1}
        rows = [
            {"table_name": name, "changed_at": place["start"], **day}
            for name in ("costs.daily", "efficiency.sum_daily")
        ]
        connection.execute(insert(ledger_day), rows)

    open_state(state_url, is_demo=False, currency="USD").close()

    with engine_of(state_url) as engine, engine.connect() as connection:
        assert [row._mapping for row in connection.execute(select(lookback))] == [
            {"table_name": "raw.price", **place}
        ]
        names = set(connection.execute(select(ledger_day.c.table_name)).scalars())
        assert names == {"costs.daily", "efficiency.workload_usage_daily"}


@pytest.mark.parametrize(
    ("is_demo", "message"),
    [(True, "belongs to the demo, now it is opened for a real one"),
     (False, "belongs to a real one, now it is opened for the demo")],
)  # fmt: skip
def test_demo_data_and_real_data_are_never_mixed(tmp_path, is_demo, message):
    url = f"sqlite:///{tmp_path}/state.db"
    open_state(url, is_demo=is_demo, currency="USD").close()

    with pytest.raises(StateError, match=f"{message}: name another data_dir"):
        open_state(url, is_demo=not is_demo, currency="USD")


def test_one_installation_has_one_currency(tmp_path):
    url = f"sqlite:///{tmp_path}/state.db"
    open_state(url, is_demo=False, currency="USD").close()

    with pytest.raises(StateError, match='holds costs in USD, .* set currency = "USD"'):
        open_state(url, is_demo=False, currency="EUR")


def test_a_database_of_a_newer_version_is_refused(state_url):
    open_state(state_url, is_demo=False, currency="USD").close()
    with engine_of(state_url) as engine, begin_writing(engine) as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))

    with pytest.raises(StateError, match="revision 9999, .* install the version"):
        open_state(state_url, is_demo=False, currency="USD")


def test_a_file_that_is_no_database_is_refused_with_its_name(tmp_path):
    (tmp_path / "state.db").write_bytes(b"not a database" * 100)

    with pytest.raises(StateError, match=r"state\.db.*not a database"):
        open_state(f"sqlite:///{tmp_path}/state.db", is_demo=False, currency="USD")


@pytest.mark.parametrize("url", ["nonsense", "oracel://here/there"])
def test_a_url_of_no_database_is_refused(url):
    with pytest.raises(StateError, match="state_url cannot be used"):
        open_state(url, is_demo=False, currency="USD")


def test_a_commit_that_was_acknowledged_is_on_disk(tmp_path):
    open_state(f"sqlite:///{tmp_path}/data/state.db", is_demo=False, currency="USD").close()

    with engine_of(f"sqlite:///{tmp_path}/data/state.db") as engine, engine.connect() as connection:
        pragmas = {name: connection.execute(text(f"pragma {name}")).scalar_one()
                   for name in ("journal_mode", "synchronous", "busy_timeout")}  # fmt: skip

    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 30_000}
