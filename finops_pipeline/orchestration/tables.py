"""The derived assets: one per table file, their checks, and the published file they end in.

All of them are one step: they see one state of the ledger, and the warehouse is opened once.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from finops_pipeline.errors import TableError
from finops_pipeline.orchestration import checks
from finops_pipeline.orchestration.describe import column_schema, key, metadata
from finops_pipeline.orchestration.freeze import freeze_old_days
from finops_pipeline.orchestration.inputs import OF_LEDGER
from finops_pipeline.orchestration.installation import Installation
from finops_pipeline.orchestration.repair import inspect_share, is_nightly, repaired
from finops_pipeline.orchestration.resources import InstallationResource
from finops_pipeline.warehouse.publish import publish
from finops_pipeline.warehouse.sql_file import Table, tables
from finops_pipeline.warehouse.warehouse import Warehouse

PUBLISHED = dg.AssetKey("published")
_OWNERS = ["team:finops"]
_DERIVED = {key(name): table for name, table in tables().items() if not table.is_raw}
_RAW = {name for name, table in tables().items() if table.is_raw}


def _spec(table: Table) -> dg.AssetSpec:
    return dg.AssetSpec(
        key(table.name),
        deps=[key(name) for name in sorted(table.reads or _ledger_sources(table))],
        group_name=table.schema,
        kinds={"duckdb", "sql"},
        owners=_OWNERS,
        description=f"{table.description}\n\n```sql\n{table.text}```",
        code_version=table.version,
        metadata={"dagster/table_name": table.name, "dagster/column_schema": column_schema(table)},
    )


def _ledger_sources(table: Table) -> set[str]:
    """A table of the ledger has no select, and says what was read.

    It comes after the raw tables: else the tick would show what the previous one had read.
    """
    return _RAW if table.name in OF_LEDGER else set()


_PUBLISHED_SPEC = dg.AssetSpec(
    PUBLISHED,
    deps=list(_DERIVED),
    group_name="published",
    kinds={"duckdb"},
    owners=_OWNERS,
    description="The file that people open: every table, of one state of the ledger.\n\n"
    "Replaced by rename when every table is current and no blocking check has rows. Nobody who"
    " reads it ever waits, and nobody who reads it blocks the pipeline.",
)


@dg.multi_asset(
    name="tables",
    specs=[*map(_spec, _DERIVED.values()), _PUBLISHED_SPEC],
    check_specs=checks.SPECS,
    can_subset=True,
    backfill_policy=dg.BackfillPolicy.single_run(),
    pool="warehouse",
)
def derived(
    context: dg.AssetExecutionContext, installation: InstallationResource
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Bring the chosen tables up to date, check them, and publish.

    A table that cannot be filled stays as it was and stops those that read it, but no others; then
    nothing is published.
    """
    chosen = context.selected_asset_keys
    failures: list[TableError] = []
    with installation.open() as opened, repaired(opened), _inspected(opened) as warehouse:
        for name in (table.name for it, table in _DERIVED.items() if it in chosen):
            try:
                yield _filled(warehouse.tables[name], warehouse, opened)
            except TableError as error:
                failures.append(error)
        if failures:
            raise failures[0]
        for checked in sorted(context.selected_asset_check_keys):
            yield checks.result(checks.FILES[checked.name], warehouse)
        if PUBLISHED in chosen:
            yield _published(warehouse, opened)
            freeze_old_days(opened)


@contextmanager
def _inspected(installation: Installation) -> Iterator[Warehouse]:
    """The warehouse; once a night only after everything it stands on was looked at."""
    inspect_share(installation)
    with installation.warehouse() as warehouse:
        if is_nightly(installation.clock()):
            warehouse.verify()
        yield warehouse


def _filled(
    table: Table, warehouse: Warehouse, installation: Installation
) -> dg.MaterializeResult[None]:
    written = warehouse.refresh_table(table)
    shown = metadata(warehouse, table, written, installation) | installation.marks()
    return dg.MaterializeResult(asset_key=key(table.name), metadata=shown)


def _published(warehouse: Warehouse, installation: Installation) -> dg.MaterializeResult[None]:
    path = installation.published_path
    publication = publish(warehouse, path)
    return dg.MaterializeResult(
        asset_key=PUBLISHED,
        metadata={
            **installation.marks(),
            "path": dg.MetadataValue.path(str(path)),
            "publication_id": publication.publication_id,
            "published_at": publication.published_at.isoformat(),
            "is_new": publication.is_new,
            "size_bytes": path.stat().st_size,
        },
    )
