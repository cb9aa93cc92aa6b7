"""Tests of the cost of load balancers."""

from decimal import Decimal

import pytest

ASSET = {"cluster": "prod", "asset_kind": "load_balancer", "name": "shop/lb"}


def test_a_load_balancer_costs_hours_times_its_price(data):
    price = {"cluster": "prod", "price_kind": "load_balancer", "name": "shop/lb"}
    data.given("raw.asset", {**ASSET, "source_total_cost": 0.00672})
    data.given("raw.price", {**price, "load_balancer_hour_price": 0.0252})

    (balancer,) = data.part("load_balancer")

    assert balancer["cost"] == Decimal("0.0063")  # a quarter of an hour


@pytest.mark.parametrize(
    ("is_preferred", "cost"), [(True, Decimal("0.01")), (False, Decimal("0.00672"))]
)
def test_the_price_list_counts_before_the_source_where_it_is_preferred(data, is_preferred, cost):
    entry = {"cluster": "prod", "node_pool": "", "load_balancer_hour_price": 0.04}
    data.given("core.price_list", {**entry, "is_preferred": is_preferred})
    data.given("raw.asset", {**ASSET, "source_total_cost": 0.00672})

    (balancer,) = data.part("load_balancer")

    assert balancer["cost"] == cost


def test_other_assets_are_no_load_balancers(data):
    data.given("raw.asset", {**ASSET, "asset_kind": "disk"})

    assert data.part("load_balancer") == []
