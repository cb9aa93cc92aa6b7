"""Tables of the state database, in SQLAlchemy Core. A change needs a migration beside it."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
)

from finops_pipeline.state.types import Exact, Instant

REVISION = "0004"  # newest migration; written here so that opening need not import alembic

metadata = MetaData()

installation = Table(
    "installation",
    metadata,
    Column("installation_id", String(36), primary_key=True),
    Column("is_demo", Boolean, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("created_at", Instant, nullable=False),
    comment="The one row that says whose data this is",
)

ledger = Table(
    "ledger",
    metadata,
    Column("table_name", String, primary_key=True),
    Column("cluster", String, primary_key=True),
    Column("window_start", Instant, primary_key=True),
    Column("status", String, nullable=False),
    Column("is_verified", Boolean, nullable=False),
    Column("is_degraded", Boolean, nullable=False),
    Column("reason", String, comment="Why unverified, degraded or lost"),
    Column("minutes_ratio", Float),
    Column("row_count", Integer),
    Column("total", Exact, comment="Sum of the measure of the table; null without one"),
    Column("read_count", Integer, nullable=False),
    Column("fetched_at", Instant),
    Column("next_read_at", Instant, comment="Null when it is not read again"),
    Column("file", String, comment="Path in the lake; null when never read"),
    Column("content_sha256", String(64)),
    Column("failed_at", Instant),
    Column("failure", String, comment="Message of the last failure; a success clears it"),
    CheckConstraint("status in ('absent', 'provisional', 'final', 'lost')", name="status_known"),
    CheckConstraint(
        "(status in ('provisional', 'final')) = (file is not null)", name="read_has_file"
    ),
    Index("ledger_by_window", "window_start", "table_name", "cluster"),
    comment="What is known of each window of each raw table",
)

ledger_day = Table(
    "ledger_day",
    metadata,
    Column("table_name", String, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("cluster", String, primary_key=True),
    Column("content_sha256", String(64), comment="Of the content of its windows; null when none"),
    Column("revision", Integer, nullable=False, comment="Grows with every change of its windows"),
    Column("changed_at", Instant, nullable=False),
    comment="One row per table, cluster and UTC day; whoever changes its windows locks it",
)

lake_file = Table(
    "lake_file",
    metadata,
    Column("path", String, primary_key=True),
    Column("table_name", String, nullable=False),
    Column("cluster", String, nullable=False),
    Column("day", Date, nullable=False),
    Column("first_window", Instant, nullable=False),
    Column("last_window", Instant, nullable=False),
    Column("file_sha256", String(64), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("dropped_at", Instant, comment="When another file replaced it; null while current"),
    Index("lake_file_by_day", "table_name", "day"),
    Index("lake_file_by_drop", "dropped_at"),
    comment="Files of the lake that are current, or were until a moment ago",
)

restatement = Table(
    "restatement",
    metadata,
    Column("table_name", String, primary_key=True),
    Column("cluster", String, primary_key=True),
    Column("window_start", Instant, primary_key=True),
    Column("read_count", Integer, primary_key=True, comment="The reading that brought it"),
    Column("restated_at", Instant, nullable=False),
    Column("reason", String, nullable=False),
    Column("old_row_count", Integer, nullable=False),
    Column("new_row_count", Integer, nullable=False),
    Column("old_total", Exact),
    Column("new_total", Exact),
    Column("old_content_sha256", String(64), nullable=False),
    Column("new_content_sha256", String(64), nullable=False),
    Index("restatement_by_window", "window_start"),
    comment="Changes of a window's content between two readings",
)

lookback = Table(
    "lookback",
    metadata,
    Column("table_name", String, primary_key=True),
    Column("cluster", String, primary_key=True),
    Column("start", Instant, nullable=False),
    comment="Windows before it are read or lost, unless their day is requested",
)

requested_day = Table(
    "requested_day",
    metadata,
    Column("table_name", String, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("requested_at", Instant, nullable=False),
    comment="UTC days before the lookback that are asked for until each window is read or lost",
)

bill_file = Table(
    "bill_file",
    metadata,
    Column("path", String, primary_key=True, comment="Within the bill folder"),
    Column("size_bytes", BigInteger, nullable=False),
    Column("modified_at_ns", BigInteger, nullable=False, comment="By the file system, since 1970"),
    Column("read_at", Instant, nullable=False, comment="When this version was looked at"),
    Column("failure", String, comment="Why it was refused; the version before then still counts"),
    Column("sha256", String(64), comment="Of what the last version that counts holds"),
    Column("months", String, nullable=False, comment="Billing months of it: 2026-10 2026-11"),
    comment="Files in the bill folder, as they were last looked at; lost without harm",
)
