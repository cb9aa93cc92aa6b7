"""Puts the parts together as Dagster assets, checks, jobs, a schedule and sensors.

Every module here imports dagster; what needs none of it lies in a room below.
"""
