"""The files of the bill folder, as they were last looked at."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the table, empty: the next tick looks at every file."""
    op.create_table(
        "bill_file",
        sa.Column("path", sa.String, primary_key=True, comment="Within the bill folder"),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column(
            "modified_at_ns",
            sa.BigInteger,
            nullable=False,
            comment="By the file system, since 1970",
        ),
        sa.Column(
            "read_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When this version was looked at",
        ),
        sa.Column(
            "failure",
            sa.String,
            comment="Why it was refused; the version before then still counts",
        ),
        sa.Column("sha256", sa.String(64), comment="Of what the last version that counts holds"),
        sa.Column(
            "months",
            sa.String,
            nullable=False,
            comment="Billing months of it: 2026-10 2026-11",
        ),
        comment="Files in the bill folder, as they were last looked at; lost without harm",
    )
