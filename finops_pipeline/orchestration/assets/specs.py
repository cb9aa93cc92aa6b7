"""Makes the asset of a table, whichever step fills it."""

from typing import Any

import dagster as dg

from finops_pipeline.catalog.tables import Table
from finops_pipeline.orchestration.metadata.tables import column_schema, key

OWNERS = ["team:finops"]


def table_spec(
    table: Table, kinds: set[str], description: str | None = None, **more: Any
) -> dg.AssetSpec:
    """Return the asset of a table, with its columns and the version of its file.

    Args:
        table: its file.
        kinds: tags that the UI shows beside its name.
        description: by default what its file says.
        more: further attributes of the asset.
    """
    return dg.AssetSpec(
        key(table.name),
        group_name=table.schema,
        kinds=kinds,
        owners=OWNERS,
        description=description or table.description,
        code_version=table.version,
        metadata={
            "dagster/table_name": table.name,
            "dagster/column_schema": column_schema(table),
            "sql": dg.MetadataValue.md(f"```sql\n{table.text}```"),
        },
        **more,
    )
