"""The derived assets: one per table file, their checks, and the published file they end in.

All of them are one step: they see one state of the ledger, and the warehouse is opened once. A
tick reports only tables that changed: each report costs Dagster 35 ms.
"""

from collections.abc import Container, Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg

from finops_pipeline.catalog.tables import Table, tables
from finops_pipeline.errors import TableError
from finops_pipeline.ingest.bill import read_bill
from finops_pipeline.installation.context import Installation
from finops_pipeline.installation.ledger_data import OF_LEDGER
from finops_pipeline.operations.compaction import unreferenced_before
from finops_pipeline.operations.repair import inspect_share, is_nightly
from finops_pipeline.operations.retention import freeze_old_days
from finops_pipeline.orchestration import asset_checks
from finops_pipeline.orchestration.asset_selection import ALWAYS, PUBLISHED
from finops_pipeline.orchestration.jobs import BACKFILL, TICK
from finops_pipeline.orchestration.metadata.tables import column_schema, key, metadata
from finops_pipeline.orchestration.resources import InstallationResource
from finops_pipeline.state.window import ALL_CLUSTERS, MONTHLY
from finops_pipeline.warehouse.fingerprints import digest
from finops_pipeline.warehouse.publish import publish
from finops_pipeline.warehouse.session import Warehouse

_OWNERS = ["team:finops"]
# Raw tables that no source fills window by window, and this step does.
_MONTHLY = {key(name): tables()[name] for name in MONTHLY}
_DERIVED = {key(name): table for name, table in tables().items() if not table.is_raw}
_RAW = {name for name, table in tables().items() if table.is_raw}
_WHOLE = {TICK, BACKFILL}  # jobs of everything
_VERSION_TAG = "dagster/data_version"


def _spec(table: Table) -> dg.AssetSpec:
    return dg.AssetSpec(
        key(table.name),
        deps=[key(name) for name in sorted(table.reads or _ledger_sources(table))],
        group_name=table.schema,
        kinds={"duckdb", "sql"},
        owners=_OWNERS,
        description=f"{table.description}\n\n```sql\n{table.text}```",
        code_version=table.version,
        skippable=True,
        metadata={"dagster/table_name": table.name, "dagster/column_schema": column_schema(table)},
    )


def _monthly_spec(table: Table) -> dg.AssetSpec:
    return dg.AssetSpec(
        key(table.name),
        group_name=table.schema,
        kinds={"parquet"},
        owners=_OWNERS,
        description=table.description,
        code_version=table.version,
        skippable=True,
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
    specs=[*map(_monthly_spec, _MONTHLY.values()), *map(_spec, _DERIVED.values()), _PUBLISHED_SPEC],
    check_specs=asset_checks.SPECS,
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
    known = _versions_known(context)
    with installation.open_and_repair() as opened, _inspected(opened) as warehouse:
        for it in (it for it in _MONTHLY if it in chosen):
            if known.get(it) != _months_version(_MONTHLY[it].name, opened):
                yield _kept(_MONTHLY[it].name, opened)
        written, failures = _fill(_DERIVED if PUBLISHED in chosen else chosen, warehouse)
        versions = warehouse.records.table_states()
        for table in (_DERIVED[it] for it in written if it in chosen):
            if known.get(key(table.name)) != versions[table.name]:
                yield _filled(
                    table, versions[table.name], written[key(table.name)], warehouse, opened
                )
        if failures:
            raise failures[0]
        for checked in sorted(context.selected_asset_check_keys):
            yield asset_checks.result(asset_checks.FILES[checked.name], warehouse)
        if PUBLISHED in chosen:
            asset_checks.look(warehouse)
            yield _published(warehouse, opened)
            freeze_old_days(opened)


def _versions_known(context: dg.AssetExecutionContext) -> dict[dg.AssetKey, str]:
    """What Dagster was told last of each table that need not be told again.

    Nothing in a run that somebody made of chosen tables: they want to see that it did something.
    """
    if context.is_subset or context.run.job_name not in _WHOLE:
        return {}
    told = (
        record.asset_entry for record in context.instance.get_asset_records([*_DERIVED, *_MONTHLY])
    )
    return {
        it.asset_key: it.last_materialization.asset_materialization.tags.get(_VERSION_TAG, "")
        for it in told
        if it.asset_key not in ALWAYS
        and it.last_materialization
        and it.last_materialization.asset_materialization
    }


def _fill(
    keys: Container[dg.AssetKey], warehouse: Warehouse
) -> tuple[dict[dg.AssetKey, int], list[TableError]]:
    """Rows written by table that could be filled, and why others could not."""
    written: dict[dg.AssetKey, int] = {}
    failures: list[TableError] = []
    for it in (it for it in _DERIVED if it in keys):
        try:
            written[it] = warehouse.refresh_table(warehouse.tables[_DERIVED[it].name])
        except TableError as error:
            failures.append(error)
    return written, failures


@contextmanager
def _inspected(installation: Installation) -> Iterator[Warehouse]:
    """The warehouse, after the bill folder; once a night all it stands on is looked at before."""
    inspect_share(installation)
    read_bill(installation)
    with installation.warehouse() as warehouse:
        if is_nightly(installation.clock()):
            warehouse.verify()
            published = installation.published_path
            warehouse.archive.sweep(unreferenced_before(installation.clock(), published))
        yield warehouse


def _months_version(name: str, installation: Installation) -> str:
    """Changes when the rows of a month do, or a month is added."""
    windows = installation.state.ledger.all_windows(name, ALL_CLUSTERS)
    return digest(*sorted(f"{it.window_start} {it.content_sha256}" for it in windows))


def _kept(name: str, installation: Installation) -> dg.MaterializeResult[None]:
    """What the lake holds of a table that has one window a month."""
    windows = installation.state.ledger.all_windows(name, ALL_CLUSTERS)
    counts: dict[str, Any] = {
        "rows_held": sum(it.row_count or 0 for it in windows),
        "months_held": len(windows),
    }
    return dg.MaterializeResult(
        asset_key=key(name),
        metadata=counts | installation.marks(),
        data_version=dg.DataVersion(_months_version(name, installation)),
    )


def _filled(
    table: Table, version: str, written: int, warehouse: Warehouse, installation: Installation
) -> dg.MaterializeResult[None]:
    shown = metadata(warehouse, table, written, installation) | installation.marks()
    return dg.MaterializeResult(
        asset_key=key(table.name), metadata=shown, data_version=dg.DataVersion(version)
    )


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
