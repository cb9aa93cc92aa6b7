"""Keeps what was claimed: each UTC day, the first publication is asked what it says.

A claim is a file under ``sql/claims/``. Its rows are appended to the raw table of the same name and
never change, so that what was said can be compared with what turned out. ``kpis.scorecard_daily``
reads those of the scorecard.
"""

from datetime import UTC, datetime

from finops_pipeline.catalog.files import SqlFile, sql_files
from finops_pipeline.catalog.raw_schemas import raw_schema
from finops_pipeline.installation.context import Installation
from finops_pipeline.installation.recording import append
from finops_pipeline.queries.published import open_published
from finops_pipeline.state.window import ALL_CLUSTERS
from finops_pipeline.units import day_start


def keep_claims(installation: Installation) -> list[str]:
    """Append what is published now, of each claim that was not kept yet on this UTC day.

    Returns:
        The raw tables that have new rows.

    Raises:
        NotPublished: nothing is.
        LakeDamaged: what was written cannot be read back; the next publication tries again.
    """
    at = installation.clock()
    start, ledger = day_start(at.astimezone(UTC).date()), installation.state.ledger
    missing = {
        table_name: claim
        for table_name, claim in claims().items()
        if not ledger.day([table_name], ALL_CLUSTERS, start.date())
    }
    return [name for name, claim in missing.items() if _keep(installation, name, claim, start, at)]


def claims() -> dict[str, SqlFile]:
    """Return the file of each claim by the raw table that keeps it."""
    return {f"raw.{name}": file for name, file in sql_files("claims").items()}


def _keep(
    installation: Installation, table_name: str, claim: SqlFile, start: datetime, at: datetime
) -> bool:
    schema = raw_schema(table_name)
    with open_published(installation.settings.data_dir) as published:
        answer = published.execute(claim.query or "", {"window_start": start}).to_arrow_table()
    rows = answer.select(schema.names).cast(schema)
    lake, ledger = installation.lake, installation.state.ledger
    return bool(rows.num_rows) and append(lake, ledger, table_name, start, at, rows) is not None
