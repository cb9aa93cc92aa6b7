"""Tests of load balancers that no allocation uses."""

from decimal import Decimal

from finops_pipeline_tests.sql.rows import CONTAINER

ASSET = {"cluster": "prod", "asset_kind": "load_balancer", "source_total_cost": 0.00672}


def test_a_load_balancer_that_no_allocation_uses_is_unmounted(data):
    balancers = '{"prod/shop/lb":{"service":"shop/lb","cost":0.001}}'
    data.given("raw.asset", {**ASSET, "name": "shop/lb"}, {**ASSET, "name": "shop/old"})
    data.given("raw.allocation", {**CONTAINER, "load_balancers": balancers})

    (row,) = data.part("unmounted_load_balancer")

    assert (row["cost_kind"], row["team"]) == ("unmounted", "unmounted")
    assert (row["namespace"], row["workload_kind"], row["workload"]) == ("shop", "Service", "old")
    assert row["load_balancer_cost"] == Decimal("0.00672")
