"""Defines the sensors: metrics, alerts, and the history of runs."""
