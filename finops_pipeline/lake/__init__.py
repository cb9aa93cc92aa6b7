"""Parquet files of the lake: where they lie, how they are written, read and swept."""
