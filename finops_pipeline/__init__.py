"""A FinOps data platform for Kubernetes whose numbers can be trusted."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["read"]


def read(sql: str, data_dir: Path | str | None = None) -> "pd.DataFrame":
    """Rows of a query to the published file, for notebooks.

    Args:
        sql: one select of DuckDB's dialect.
        data_dir: folder that holds ``finops.duckdb``; by default the one of the settings.

    Raises:
        NotPublished: nothing has been published there yet.
        QueryError: the query is wrong.
    """
    # Imported late: `import finops_pipeline` alone stays instant.
    from finops_pipeline.queries.published import frame, open_published
    from finops_pipeline.settings import load_data_dir

    with open_published(Path(data_dir) if data_dir else load_data_dir()) as connection:
        return frame(connection, sql)
