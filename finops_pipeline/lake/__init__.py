"""Parquet files: where they lie, how they are written, read, swept. Knows no ledger."""
