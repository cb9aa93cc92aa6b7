"""Asset checks, one per file in ``sql/checks``: a row is a mistake, and is shown."""

from typing import Any

import dagster as dg

from finops_pipeline.catalog.files import SqlFile, sql_files
from finops_pipeline.catalog.tables import tables
from finops_pipeline.orchestration.metadata.tables import key, preview
from finops_pipeline.warehouse.session import Warehouse

# Where a check of the lake alone hangs: what it finds says how plausible windows are.
_WINDOWS = "core.window"
_PREVIEW_ROWS = 20
_WARNING = sql_files("checks")
_BLOCKING = sql_files("checks/blocking")

FILES = {**_WARNING, **_BLOCKING}


def spec(file: SqlFile) -> dg.AssetCheckSpec:
    """Return the asset check of a file; only a blocking one keeps a publication back."""
    return dg.AssetCheckSpec(
        file.name,
        asset=key(_checked_table(file)),
        description=file.description,
        blocking=file.name in _BLOCKING,
    )


def run_check(file: SqlFile, warehouse: Warehouse) -> dg.AssetCheckResult:
    """Run a check, and return its result with the first rows as a table."""
    rows = warehouse.check(file)
    is_blocking = file.name in _BLOCKING
    metadata: dict[str, Any] = {
        "rows": len(rows),
        "first": dg.MetadataValue.md(preview(rows[:_PREVIEW_ROWS])),
    }
    return dg.AssetCheckResult(
        asset_key=key(_checked_table(file)),
        check_name=file.name,
        passed=not rows,
        severity=dg.AssetCheckSeverity.ERROR if is_blocking else dg.AssetCheckSeverity.WARN,
        metadata=metadata,
    )


def run_all(warehouse: Warehouse) -> None:
    """Run every check on what changed, reported or not: a publication ends the change."""
    for file in FILES.values():
        warehouse.check(file)


def _checked_table(file: SqlFile) -> str:
    """Return the name of the most derived table that a check reads."""
    names = [name for name, table in tables().items() if name in file.reads and not table.is_raw]
    return names[-1] if names else _WINDOWS


SPECS = [spec(file) for file in FILES.values()]
