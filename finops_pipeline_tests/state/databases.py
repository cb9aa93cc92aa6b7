"""State databases for tests: a new SQLite file, or a new database of a real PostgreSQL server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL

from finops_pipeline.state.database import State, open_state
from finops_pipeline_tests.state import postgresql

EVERY_DATABASE = ["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("initdb"))]


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[URL]:
    """PostgreSQL server for all tests of the session."""
    with postgresql.server() as url:
        yield url


@pytest.fixture(params=EVERY_DATABASE)
def state_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty database; each test runs on both kinds."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state.db'}"
    return postgresql.new_database(request.getfixturevalue("postgresql_server"))


@pytest.fixture
def state(state_url: str) -> Iterator[State]:
    """State database just made."""
    with open_state(state_url, is_demo=False, currency="USD") as opened:
        yield opened
