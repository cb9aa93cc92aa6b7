"""Every test here runs on SQLite and on PostgreSQL."""

from finops_pipeline_tests.state.databases import postgresql_server, state, state_url

__all__ = ["postgresql_server", "state", "state_url"]
