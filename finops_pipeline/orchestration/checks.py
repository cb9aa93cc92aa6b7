"""One asset check per file in ``sql/checks``: a row is a mistake, and is shown."""

from typing import Any

import dagster as dg

from finops_pipeline.orchestration.describe import key, preview
from finops_pipeline.orchestration.resources import InstallationResource
from finops_pipeline.warehouse.sql_file import SqlFile, files, tables

_SHOWN_ROWS = 20


def check(file: SqlFile, *, is_blocking: bool) -> dg.AssetChecksDefinition:
    """A check of the windows that changed since the last publication.

    It hangs on the most derived table it reads. Only a blocking one keeps the run from publishing.
    """
    *others, asset = [name for name in tables() if name in file.reads]

    @dg.asset_check(
        name=file.name,
        asset=key(asset),
        additional_deps=[key(name) for name in others],
        description=file.description,
        blocking=is_blocking,
    )
    def no_rows(installation: InstallationResource) -> dg.AssetCheckResult:
        with installation.open() as opened, opened.warehouse() as warehouse:
            rows = warehouse.check(file)
        severity = dg.AssetCheckSeverity.ERROR if is_blocking else dg.AssetCheckSeverity.WARN
        shown: dict[str, Any] = {
            "rows": len(rows),
            "first": dg.MetadataValue.md(preview(rows[:_SHOWN_ROWS])),
        }
        return dg.AssetCheckResult(passed=not rows, severity=severity, metadata=shown)

    return no_rows


CHECKS = [
    *(check(file, is_blocking=False) for file in files("checks").values()),
    *(check(file, is_blocking=True) for file in files("checks/blocking").values()),
]
