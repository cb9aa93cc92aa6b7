"""The tables that every test of SQL begins with."""

from collections.abc import Iterator

import pytest

from finops_pipeline_tests.sql.data import Data, empty_tables


@pytest.fixture
def data() -> Iterator[Data]:
    """Tables without rows."""
    with empty_tables() as data:
        yield data
