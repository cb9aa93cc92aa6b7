"""The graph of assets, as text that two versions of the code can compare."""

from pathlib import Path

import dagster as dg
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph

FILE = Path(__file__).parent / "asset_graph.txt"


def lines(graph: AssetGraph) -> list[str]:
    """One line per asset, with those before it."""
    return sorted(_line(graph, key) for key in graph.get_all_asset_keys())


def _line(graph: AssetGraph, key: dg.AssetKey) -> str:
    upstream = sorted(parent.to_user_string() for parent in graph.get(key).parent_keys)
    return f"{key.to_user_string()} <- {', '.join(upstream)}" if upstream else key.to_user_string()
