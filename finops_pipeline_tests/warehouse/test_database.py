"""Transactions of the warehouse: all or nothing, and caches that hear of it."""

import duckdb
import pytest

from finops_pipeline.warehouse.database import Database


@pytest.fixture
def database() -> Database:
    database = Database(duckdb.connect())
    database.connection.execute("create table item (name varchar)")
    return database


def names(database: Database) -> list[str]:
    rows = database.connection.execute("select name from item order by name").fetchall()
    return [name for (name,) in rows]


def test_what_succeeds_is_committed_and_nothing_is_forgotten(database):
    cached = ["apple"]
    database.on_rollback(cached.clear)

    with database.transaction():
        database.connection.execute("insert into item values ('apple')")

    assert (names(database), cached) == (["apple"], ["apple"])


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_what_fails_is_rolled_back_and_every_cache_forgets(database, error):
    caches = {"apple"}, {"pear": 1}
    for cached in caches:
        database.on_rollback(cached.clear)

    def insert_and_fail() -> None:
        with database.transaction():
            database.connection.execute("insert into item values ('apple')")
            raise error

    with pytest.raises(error):
        insert_and_fail()

    assert names(database) == []
    assert not any(caches)


def test_what_cannot_be_committed_is_forgotten_too(database):
    database.connection.execute("create table single (name varchar primary key)")
    cached = ["apple"]
    database.on_rollback(cached.clear)

    def insert_what_another_inserts_meanwhile() -> None:
        with database.transaction():
            database.connection.execute("insert into single values ('apple')")
            database.connection.cursor().execute("insert into single values ('apple')")

    with pytest.raises(duckdb.TransactionException, match="Failed to commit"):
        insert_what_another_inserts_meanwhile()

    assert cached == []
    with database.transaction():  # the next is none the worse for it
        database.connection.execute("insert into item values ('pear')")
    assert names(database) == ["pear"]
