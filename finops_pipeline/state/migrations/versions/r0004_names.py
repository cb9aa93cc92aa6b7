"""The words of today: lookback instead of horizon, and the new names of daily tables."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

# Of whose frozen days the ledger speaks; their files keep the paths that they have.
_RENAMED_TABLES = {"efficiency.sum_daily": "efficiency.workload_usage_daily"}
_REQUESTED_DAY = "UTC days before the lookback that are asked for until each window is read or lost"


def upgrade() -> None:
    """Rename the table, and the tables of rows; no row is lost or changed otherwise."""
    op.rename_table("horizon", "lookback")
    if op.get_bind().dialect.supports_comments:  # SQLite does not
        op.create_table_comment("requested_day", _REQUESTED_DAY)
    for name in ("ledger", "ledger_day", "lake_file", "restatement"):
        rows = sa.table(name, sa.column("table_name", sa.String))
        for old, new in _RENAMED_TABLES.items():
            op.execute(rows.update().where(rows.c.table_name == old).values(table_name=new))
