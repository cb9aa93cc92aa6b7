"""Makes what the Dagster UI shows of a table: columns, previews, trends and charts."""
