"""Tests of what allocations pay of the load balancers they use."""

from decimal import Decimal

import pytest

from finops_pipeline_tests.sql.rows import CONTAINER


def test_allocations_share_a_load_balancer_to_the_last_decimal(data):
    balancer = '{"prod/shop/lb":{"service":"shop/lb","cost":0.001}}'
    data.given(
        "raw.asset",
        {
            "cluster": "prod",
            "asset_kind": "load_balancer",
            "name": "shop/lb",
            "source_total_cost": 0.00625,
        },
    )
    data.given(
        "raw.allocation",
        *({**CONTAINER, "allocation": f"a{i}", "load_balancers": balancer} for i in range(3)),
    )

    shares = [row["load_balancer_cost"] for row in data.part("load_balancer_share")]

    assert sum(shares) == Decimal("0.00625")
    assert max(shares) - min(shares) <= Decimal("1e-10")


@pytest.mark.parametrize("cost", ['"abc"', '"NaN"', '"inf"', "1e300", "-1", "{}", "null"])
def test_a_share_that_is_no_number_gives_way_to_the_sources_own(data, cost):
    balancer = {"cluster": "prod", "asset_kind": "load_balancer", "name": "shop/lb"}
    data.given("raw.asset", {**balancer, "source_total_cost": 0.04})
    shares = {"wrong": cost, "right": "0.01"}
    data.given(
        "raw.allocation",
        *(
            {
                **CONTAINER,
                "allocation": name,
                "load_balancers": f'{{"lb":{{"service":"shop/lb","cost":{share}}}}}',
                "source_load_balancer_cost": 0.03,
            }
            for name, share in shares.items()
        ),
    )

    rows = data.part("load_balancer_share")
    costs = {row["allocation"]: row["load_balancer_cost"] for row in rows}

    assert costs == {
        "wrong": pytest.approx(Decimal("0.03")),
        "right": pytest.approx(Decimal("0.01")),
    }
