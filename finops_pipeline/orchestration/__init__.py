"""Puts the parts together as Dagster assets, checks, a schedule and a sensor.

The only folder that imports dagster. ``installation``, ``record``, ``reading`` and ``inputs`` do
not: they hold what the assets do, and can be called without it.
"""
