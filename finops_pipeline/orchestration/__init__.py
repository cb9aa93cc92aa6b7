"""Puts the parts together as Dagster assets, checks, a schedule and a sensor.

The only folder that imports dagster. ``ingest``, ``inventory``, ``record``, ``tidy``, ``inputs``,
``installation``, ``sources`` and ``doctor`` do not: they hold what the assets do, and can be called
without it.
"""
