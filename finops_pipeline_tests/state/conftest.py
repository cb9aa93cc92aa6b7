"""Fixtures by which the tests of this folder run on SQLite and on PostgreSQL."""

from finops_pipeline_tests.state.databases import postgresql_server, state, state_url

__all__ = ["postgresql_server", "state", "state_url"]
