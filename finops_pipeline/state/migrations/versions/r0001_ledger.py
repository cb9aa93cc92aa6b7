"""The ledger of windows, its days, files and restatements, and the installation."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the first tables."""
    op.create_table(
        "installation",
        sa.Column("installation_id", sa.String(36), primary_key=True),
        sa.Column("is_demo", sa.Boolean, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        comment="The one row that says whose data this is",
    )
    _create_ledger()
    _create_lake_file()
    _create_restatement()


_INSTANT = sa.DateTime(timezone=True)


def _create_ledger() -> None:
    op.create_table(
        "ledger",
        sa.Column("table_name", sa.String, primary_key=True),
        sa.Column("cluster", sa.String, primary_key=True),
        sa.Column("window_start", _INSTANT, primary_key=True),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("is_verified", sa.Boolean, nullable=False),
        sa.Column("is_degraded", sa.Boolean, nullable=False),
        sa.Column("reason", sa.String, comment="Why unverified, degraded or lost"),
        sa.Column("minutes_ratio", sa.Float),
        sa.Column("row_count", sa.Integer),
        sa.Column("total", sa.String, comment="Sum of the measure of the table; null without one"),
        sa.Column("read_count", sa.Integer, nullable=False),
        sa.Column("fetched_at", _INSTANT),
        sa.Column("next_read_at", _INSTANT, comment="Null when it is not read again"),
        sa.Column("file", sa.String, comment="Path in the lake; null when never read"),
        sa.Column("content_sha256", sa.String(64)),
        sa.Column("failed_at", _INSTANT),
        sa.Column("failure", sa.String, comment="Message of the last failure; a success clears it"),
        sa.CheckConstraint(
            "status in ('absent', 'provisional', 'final', 'lost')", name="status_known"
        ),
        sa.CheckConstraint(
            "(status in ('provisional', 'final')) = (file is not null)", name="read_has_file"
        ),
        comment="What is known of each window of each raw table",
    )
    op.create_index("ledger_by_window", "ledger", ["window_start", "table_name", "cluster"])
    op.create_table(
        "ledger_day",
        sa.Column("table_name", sa.String, primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("cluster", sa.String, primary_key=True),
        sa.Column(
            "content_sha256", sa.String(64), comment="Of the content of its windows; null when none"
        ),
        sa.Column(
            "revision", sa.Integer, nullable=False, comment="Grows with every change of its windows"
        ),
        sa.Column("changed_at", _INSTANT, nullable=False),
        comment="One row per table, cluster and UTC day; whoever changes its windows locks it",
    )


def _create_lake_file() -> None:
    op.create_table(
        "lake_file",
        sa.Column("path", sa.String, primary_key=True),
        sa.Column("table_name", sa.String, nullable=False),
        sa.Column("cluster", sa.String, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("first_window", _INSTANT, nullable=False),
        sa.Column("last_window", _INSTANT, nullable=False),
        sa.Column("file_sha256", sa.String(64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column(
            "dropped_at", _INSTANT, comment="When another file replaced it; null while current"
        ),
        comment="Files of the lake that are current, or were until a moment ago",
    )
    op.create_index("lake_file_by_day", "lake_file", ["table_name", "day"])
    op.create_index("lake_file_by_drop", "lake_file", ["dropped_at"])


def _create_restatement() -> None:
    op.create_table(
        "restatement",
        sa.Column("table_name", sa.String, primary_key=True),
        sa.Column("cluster", sa.String, primary_key=True),
        sa.Column("window_start", _INSTANT, primary_key=True),
        sa.Column(
            "read_count", sa.Integer, primary_key=True, comment="The reading that brought it"
        ),
        sa.Column("restated_at", _INSTANT, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("old_row_count", sa.Integer, nullable=False),
        sa.Column("new_row_count", sa.Integer, nullable=False),
        sa.Column("old_total", sa.String),
        sa.Column("new_total", sa.String),
        sa.Column("old_content_sha256", sa.String(64), nullable=False),
        sa.Column("new_content_sha256", sa.String(64), nullable=False),
        comment="Changes of a window's content between two readings",
    )
    op.create_index("restatement_by_window", "restatement", ["window_start"])
