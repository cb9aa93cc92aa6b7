"""The derived assets: one per table file, and the published file they all end in."""

import dagster as dg

from finops_pipeline.orchestration.describe import column_schema, key, metadata
from finops_pipeline.orchestration.resources import InstallationResource
from finops_pipeline.warehouse.sql_file import Table, tables

PUBLISHED = dg.AssetKey("published")


def table_asset(table: Table) -> dg.AssetsDefinition:
    """An asset that brings one table up to date with what it reads."""

    @dg.asset(
        key=key(table.name),
        deps=[key(name) for name in sorted(table.reads or _ledger_sources(table))],
        group_name=table.schema,
        kinds={"duckdb", "sql"},
        owners=["team:finops"],
        description=f"{table.description}\n\n```sql\n{table.text}```",
        code_version=table.version,
        metadata={"dagster/table_name": table.name, "dagster/column_schema": column_schema(table)},
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool="warehouse",
    )
    def fill(installation: InstallationResource) -> dg.MaterializeResult[None]:
        with installation.open() as opened, opened.warehouse() as warehouse:
            written = warehouse.refresh_table(table)
            shown = metadata(warehouse, table, written) | opened.marks()
        return dg.MaterializeResult(metadata=shown)

    return fill


@dg.asset(
    key=PUBLISHED,
    deps=[key(name) for name, table in tables().items() if not table.is_raw],
    group_name="published",
    kinds={"duckdb"},
    owners=["team:finops"],
    backfill_policy=dg.BackfillPolicy.single_run(),
    pool="warehouse",
)
def published(installation: InstallationResource) -> dg.MaterializeResult[None]:
    """The file that people open: every table, of one state of the ledger.

    Replaced by rename when every table is current and no blocking check has rows. Nobody who reads
    it ever waits, and nobody who reads it blocks the pipeline.
    """
    with installation.open() as opened:
        publication = opened.publish()
        size = opened.published_path.stat().st_size
        path, marks = str(opened.published_path), opened.marks()
    return dg.MaterializeResult(
        metadata={
            **marks,
            "path": dg.MetadataValue.path(path),
            "publication_id": publication.publication_id,
            "published_at": publication.published_at.isoformat(),
            "is_new": publication.is_new,
            "size_bytes": size,
        }
    )


def _ledger_sources(table: Table) -> set[str]:
    """A table of the ledger has no select; where it names clusters, it says what was read of them.

    It comes after the raw tables: else the tick would show what the previous one had read.
    """
    raw = {name for name, other in tables().items() if other.is_raw}
    return raw if "cluster" in table.columns else set()


ASSETS = [*(table_asset(table) for table in tables().values() if not table.is_raw), published]
