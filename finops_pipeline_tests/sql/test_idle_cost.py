"""Tests of what nodes cost beyond their allocations."""

from decimal import Decimal
from typing import Any

from finops_pipeline_tests.sql.data import Data
from finops_pipeline_tests.sql.rows import CONTAINER, NODE


def idle_costs(data: Data) -> list[dict[str, Any]]:
    data.fill("core.price")
    return data.part("idle_cost")


def test_idle_is_what_the_node_costs_beyond_its_containers(data):
    data.given("raw.asset", NODE)
    data.given("raw.allocation", CONTAINER)

    (idle,) = idle_costs(data)

    assert (idle["node"], idle["team"]) == ("node-a", "idle")
    assert idle["cpu_cost"] == Decimal("0.0350000000")
    assert idle["memory_cost"] == Decimal("0.0175000000")


def test_rows_without_a_node_are_taken_off_once(data):
    data.given("raw.asset", NODE)
    data.given("raw.allocation", {**CONTAINER, "node": None, "source_cpu_cost": 0.01})

    costs = {row["node"]: row["cpu_cost"] for row in idle_costs(data)}

    assert costs == {"node-a": Decimal("0.04"), None: Decimal("-0.01")}


def test_a_node_replaced_under_its_name_is_one_node(data):
    data.given("raw.asset", NODE, {**NODE, "asset": "node-a again", "source_cpu_cost": 0.08})
    data.given("raw.allocation", CONTAINER)

    (idle,) = idle_costs(data)

    assert idle["cpu_cost"] == Decimal("0.1125")  # 0.12 less 0.125 x 0.12 / 2
    assert idle["memory_cost"] == Decimal("0.0375")  # 0.04 less 0.5 x 0.04 / 8
    assert idle["cpu_billed_core_hours"] == 1.875


def test_a_node_without_a_price_has_no_idle_cost(data):
    data.given("raw.asset", {**NODE, "source_cpu_cost": None})
    data.given("raw.allocation", {**CONTAINER, "source_cpu_cost": 0.003, "source_gpu_cost": 0.5})

    (idle,) = idle_costs(data)

    assert (idle["cpu_cost"], idle["gpu_cost"]) == (0, 0)
    assert idle["memory_cost"] == Decimal("0.0175")
