"""The derived assets: one per table file, their checks, and the published file they end in.

All of them are one step: they see one state of the ledger, and the warehouse is opened once. A
tick reports only tables that changed: each report costs Dagster 35 ms.
"""

from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from graphlib import TopologicalSorter
from typing import Any

import dagster as dg

from finops_pipeline.catalog.tables import Table, tables
from finops_pipeline.errors import TableError
from finops_pipeline.ingest.bill import read_bill
from finops_pipeline.installation.context import Installation
from finops_pipeline.installation.ledger_data import OF_LEDGER
from finops_pipeline.operations.claims import claims, keep_claims
from finops_pipeline.operations.compaction import tidy_lake, unreferenced_before
from finops_pipeline.operations.repair import inspect_share, is_nightly
from finops_pipeline.operations.retention import freeze_old_days
from finops_pipeline.orchestration import asset_checks
from finops_pipeline.orchestration.asset_selection import ALWAYS, PUBLISHED
from finops_pipeline.orchestration.assets.specs import OWNERS, table_spec
from finops_pipeline.orchestration.jobs import BACKFILL, TICK
from finops_pipeline.orchestration.metadata.tables import describe_table, key
from finops_pipeline.orchestration.resources import InstallationResource
from finops_pipeline.state.window import ALL_CLUSTERS
from finops_pipeline.warehouse.fingerprints import digest
from finops_pipeline.warehouse.publish import publish
from finops_pipeline.warehouse.session import Warehouse

# Raw tables that no source fills window by window: this step and commands do.
_KEPT = {key(name): table for name, table in tables().items() if table.kind.is_kept_for_good}
_DERIVED = {key(name): table for name, table in tables().items() if not table.is_raw}
# What tables of the ledger come after; claims are made from what was published.
_RAW = {name for name, file in tables().items() if file.is_raw and not file.kind.is_appended}
_WHOLE = {TICK, BACKFILL}  # jobs of everything
_VERSION_TAG = "dagster/data_version"


# Each after those it is made from, claims after what they claim.
_IN_ORDER = [
    *TopologicalSorter(
        {
            name: sorted(claims()[name].reads if name in claims() else table.reads)
            for name, table in tables().items()
        }
    ).static_order()
]


def _derived_spec(table: Table) -> dg.AssetSpec:
    return table_spec(
        table,
        {"duckdb", "sql"},
        deps=[key(name) for name in sorted(table.reads or _ledger_sources(table))],
        skippable=True,
    )


def _kept_spec(table: Table) -> dg.AssetSpec:
    claim = claims().get(table.name)
    deps = [key(name) for name in sorted(claim.reads if claim else ())]
    return table_spec(table, {"parquet"}, deps=deps, skippable=True)


def _ledger_sources(table: Table) -> set[str]:
    """Return what a table of the ledger comes after: it has no select, and says what was read.

    It comes after the raw tables: else the tick would show what the previous one had read.
    """
    return _RAW if table.name in OF_LEDGER else set()


_PUBLISHED_SPEC = dg.AssetSpec(
    PUBLISHED,
    deps=list(_DERIVED),
    group_name="published",
    kinds={"duckdb"},
    owners=OWNERS,
    description="The file that people open: every table, of one state of the ledger.\n\n"
    "Replaced by rename when every table is current and no blocking check has rows. No reader"
    " ever waits, and no reader blocks the pipeline.",
)


@dg.multi_asset(
    name="tables",
    specs=[
        *map(_kept_spec, _KEPT.values()),
        *map(_derived_spec, _DERIVED.values()),
        _PUBLISHED_SPEC,
    ],
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
    selected = context.selected_asset_keys
    reported = _reported_versions(context)
    with installation.open_and_repair() as opened, _open_warehouse(opened, context) as warehouse:
        row_counts, failures = _fill(_DERIVED if PUBLISHED in selected else selected, warehouse)
        for asset, version in _versions(warehouse, opened, row_counts).items():
            if asset in selected and reported.get(asset) != version:
                yield _report(asset, version, _describe(warehouse, opened, asset, row_counts))
        if failures:
            raise failures[0]
        for check in sorted(context.selected_asset_check_keys):
            yield asset_checks.run_check(asset_checks.FILES[check.name], warehouse)
        if PUBLISHED in selected:
            asset_checks.run_all(warehouse)
            yield _publish(warehouse, opened)
            freeze_old_days(opened)
            keep_claims(opened)


def _versions(
    warehouse: Warehouse, installation: Installation, filled: Container[dg.AssetKey]
) -> dict[dg.AssetKey, str]:
    """Return the version of each table that is kept or was filled, after those it is made from."""
    versions = warehouse.bookkeeping.table_state_ids()
    return {
        asset: _kept_version(name, installation) if asset in _KEPT else versions[name]
        for name in _IN_ORDER
        if (asset := key(name)) in _KEPT or asset in filled
    }


def _describe(
    warehouse: Warehouse,
    installation: Installation,
    asset: dg.AssetKey,
    row_counts: Mapping[dg.AssetKey, int],
) -> dict[str, Any]:
    """Return the metadata of a table that is kept or was filled."""
    if asset in _KEPT:
        metadata = _describe_kept(_KEPT[asset].name, installation)
    else:
        metadata = describe_table(warehouse, _DERIVED[asset], row_counts[asset], installation)
    return metadata | installation.demo_mark()


def _reported_versions(context: dg.AssetExecutionContext) -> dict[dg.AssetKey, str]:
    """Return the version last reported to Dagster of each table that need not be reported again.

    Of none in a run of tables chosen by hand, which is to show that it did something.
    """
    if context.is_subset or context.run.job_name not in _WHOLE:
        return {}
    records = context.instance.get_asset_records([*_DERIVED, *_KEPT])
    reports = {
        record.asset_entry.asset_key: record.asset_entry.last_materialization for record in records
    }
    return {
        asset: event.asset_materialization.tags.get(_VERSION_TAG, "")
        for asset, event in reports.items()
        if asset not in ALWAYS and event and event.asset_materialization
    }


def _fill(
    keys: Container[dg.AssetKey], warehouse: Warehouse
) -> tuple[dict[dg.AssetKey, int], list[TableError]]:
    """Fill tables; return the rows written to each that could be, and why others could not."""
    row_counts: dict[dg.AssetKey, int] = {}
    failures: list[TableError] = []
    for asset in (asset for asset in _DERIVED if asset in keys):
        try:
            row_counts[asset] = warehouse.refresh_table(warehouse.tables[_DERIVED[asset].name])
        except TableError as error:
            failures.append(error)
    return row_counts, failures


@contextmanager
def _open_warehouse(
    installation: Installation, context: dg.AssetExecutionContext
) -> Iterator[Warehouse]:
    """Open the warehouse over a tidy lake and a read bill; once a night look at both stores."""
    if untidy := tidy_lake(installation):
        context.log.warning(untidy)
    inspect_share(installation)
    read_bill(installation)
    with installation.warehouse() as warehouse:
        if is_nightly(installation.clock()):
            warehouse.verify()
            published = installation.published_path
            warehouse.archive.sweep(unreferenced_before(installation.clock(), published))
        yield warehouse


def _kept_version(name: str, installation: Installation) -> str:
    """Return a version that changes with the rows of a window, and when one is added."""
    windows = installation.state.ledger.all_windows(name, ALL_CLUSTERS)
    return digest(*sorted(f"{window.window_start} {window.content_sha256}" for window in windows))


def _describe_kept(name: str, installation: Installation) -> dict[str, Any]:
    """Say what the lake holds of a table that is kept for good."""
    windows = installation.state.ledger.all_windows(name, ALL_CLUSTERS)
    return {
        "rows_held": sum(window.row_count or 0 for window in windows),
        "windows_held": len(windows),
    }


def _report(
    asset: dg.AssetKey, version: str, metadata: dict[str, Any]
) -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(
        asset_key=asset, metadata=metadata, data_version=dg.DataVersion(version)
    )


def _publish(warehouse: Warehouse, installation: Installation) -> dg.MaterializeResult[None]:
    path = installation.published_path
    publication = publish(warehouse, path)
    return dg.MaterializeResult(
        asset_key=PUBLISHED,
        metadata={
            **installation.demo_mark(),
            "path": dg.MetadataValue.path(str(path)),
            "publication_id": publication.publication_id,
            "published_at": publication.published_at.isoformat(),
            "is_new": publication.is_new,
            "size_bytes": path.stat().st_size,
        },
    )
