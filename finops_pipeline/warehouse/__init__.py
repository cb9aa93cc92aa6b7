"""Fills ``warehouse.duckdb`` from the SQL files and publishes it as ``finops.duckdb``."""
