"""Tables that say how far back windows are asked for, and which older days on request."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create both tables; the horizon of an older installation begins at its oldest window."""
    op.create_table(
        "horizon",
        sa.Column("table_name", sa.String, primary_key=True),
        sa.Column("cluster", sa.String, primary_key=True),
        sa.Column("start", _INSTANT, nullable=False),
        comment="Windows before it are read or lost, unless their day is requested",
    )
    op.create_table(
        "requested_day",
        sa.Column("table_name", sa.String, primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("requested_at", _INSTANT, nullable=False),
        comment="UTC days before the horizon that are asked for until each window is read or lost",
    )
