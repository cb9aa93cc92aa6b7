"""Tests of how much of a load balancer each allocation counts for."""

import pytest

from finops_pipeline_tests.sql.rows import CONTAINER

TINY = 1e-12  # lets a free load balancer be shared, too


def using(allocation: str, cost: str) -> dict[str, object]:
    """Return an allocation that uses a load balancer."""
    balancers = f'{{"prod/shop/lb":{{"service":"shop/lb","cost":{cost}}}}}'
    source = {"load_balancers": balancers, "source_load_balancer_cost": 0.03}
    return {**CONTAINER, "allocation": allocation, **source}


def test_weights_are_costs_and_add_up_in_order(data):
    data.given("raw.allocation", using("a", "0.25"), using("b", "0.5"), CONTAINER)

    rows = data.part("load_balancer_weight")

    assert [row["allocation"] for row in rows] == ["a", "b"]
    assert {row["name"] for row in rows} == {"shop/lb"}
    assert [row["weight"] for row in rows] == pytest.approx([0.25 + TINY, 0.5 + TINY])
    assert [row["weight_until"] for row in rows] == pytest.approx([0.25 + TINY, 0.75 + 2 * TINY])


@pytest.mark.parametrize("cost", ['"abc"', '"NaN"', '"inf"', "1e300", "-1", "{}", "null"])
def test_a_cost_that_is_no_number_gives_way_to_the_sources_own(data, cost):
    data.given("raw.allocation", using("a", cost))

    (row,) = data.part("load_balancer_weight")

    assert row["weight"] == pytest.approx(0.03 + TINY)
