"""Tests of what a cluster as a whole costs."""

from decimal import Decimal

import pytest

ASSET = {"cluster": "prod", "source_total_cost": 0.025}


@pytest.mark.parametrize(
    ("kind", "network_cost", "shared_cost"),
    [("cluster_management", 0, Decimal("0.025")), ("network", Decimal("0.025"), 0)],
)
def test_an_asset_of_the_whole_cluster_is_shared(data, kind, network_cost, shared_cost):
    data.given("raw.asset", {**ASSET, "asset_kind": kind, "name": None})

    (row,) = data.part("cluster_cost")

    assert (row["cost_kind"], row["team"], row["workload"]) == (kind, "shared", f"__{kind}__")
    assert (row["network_cost"], row["shared_cost"]) == (network_cost, shared_cost)


@pytest.mark.parametrize("kind", ["node", "disk", "load_balancer"])
def test_assets_that_allocations_carry_are_not_counted_again(data, kind):
    data.given("raw.asset", {**ASSET, "asset_kind": kind})

    assert data.part("cluster_cost") == []
