"""Defines the assets: raw tables by source, derived tables, the published file."""
