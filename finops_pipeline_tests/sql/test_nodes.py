"""Tests of what nodes cost, were allocated and used."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_pipeline_tests.sql.data import empty_tables
from finops_pipeline_tests.sql.rows import CONTAINER, EFFICIENCY_TABLES, GIB, NODE, REQUESTED, USED
from finops_pipeline_tests.sql.usage_hours import STARTS, given_hour, used

LABELS = '{"topology_kubernetes_io_zone":"eu-1a","cloud_google_com_gke_nodepool":"batch"}'
POOL_LABEL = {"position_count": 0, "label": "cloud_google_com_gke_nodepool"}


def test_a_node_says_what_it_is_and_how_much_of_it_was_used(data):
    data.given("core.node_pool_label", POOL_LABEL)
    data.given("raw.asset", {**NODE, "labels": LABELS, "node_type": "m5", "is_spot": True})
    data.given("raw.allocation", REQUESTED)
    data.given("raw.container_usage", USED)

    data.fill(*EFFICIENCY_TABLES)
    (node,) = data.rows("from costs.node_daily")
    (share,) = data.fill("efficiency.node_daily")

    assert (node["node"], node["node_type"], node["node_pool"]) == ("node-a", "m5", "batch")
    assert (node["zone"], node["is_spot"], node["window_count"]) == ("eu-1a", True, 1)
    assert (node["total_cost"], node["idle_cost"]) == (Decimal("0.06"), Decimal("0.0525"))
    assert (share["cpu_allocated_ratio"], share["cpu_usage_ratio"]) == (0.125, 0.025)
    assert share["memory_usage_ratio"] == pytest.approx(0.1)
    # Two thirds of its price are CPU.
    assert share["score_ratio"] == pytest.approx((2 * 0.025 + 0.1) / 3)
    # What was paid for and not used: idle, 0.8 of the CPU and 0.2 of the memory allocated.
    assert share["waste_cost"] == Decimal("0.0525") + Decimal("0.0040") + Decimal("0.0005")


def test_windows_of_a_broken_sensor_are_no_part_of_what_was_used(data):
    given_hour(data, [used(0)], [used(0.25)], starts=STARTS[:2])

    data.fill(*EFFICIENCY_TABLES)
    (share,) = data.fill("efficiency.node_daily")

    assert share["cpu_usage_ratio"] == 0.25  # of the one core-hour of the second window
    assert (share["measured_cost_ratio"], share["window_count"]) == (0.5, 2)


def test_a_node_that_nobody_measured_is_not_called_idle(data):
    data.given("raw.asset", NODE)
    data.given("raw.allocation", REQUESTED)

    data.fill(*EFFICIENCY_TABLES)
    (share,) = data.fill("efficiency.node_daily")

    assert (share["cpu_usage_ratio"], share["score_ratio"]) == (None, None)
    assert share["waste_cost"] == share["idle_cost"]


@settings(max_examples=15)  # each fills every table
@given(
    st.lists(
        st.tuples(st.sampled_from([None, "node-a", "node-b"]), st.floats(0, 3), st.floats(0, 2)),
        min_size=1,
        max_size=6,
    )
)
def test_nodes_add_up_to_what_the_cluster_pays_for_them_exactly(pods):
    """Rows without a node, and more allocated than there is, included."""
    with empty_tables() as data:
        for name in ("node-a", "node-b"):
            data.given(
                "raw.asset", {**NODE, "asset": name, "name": name, "source_cpu_cost": 0.0333}
            )
        for i, (node, cores, cost) in enumerate(pods):
            data.given("raw.allocation", {
                **CONTAINER, "allocation": f"a{i}", "node": node, "cpu_core_hours": cores,
                "source_cpu_cost": cost, "memory_byte_hours": cores * GIB,
            })  # fmt: skip
        data.fill(*EFFICIENCY_TABLES)

        (nodes,) = data.rows(
            "select sum(total_cost) as total, sum(idle_cost) as idle from costs.node_daily"
        )
        (costs,) = data.rows(
            "select sum(cpu_cost + memory_cost + gpu_cost) as total,"
            " sum(cpu_cost + memory_cost + gpu_cost) filter (cost_kind = 'idle') as idle"
            " from costs.daily"
        )
        (of_nodes,) = data.rows(
            "select sum(total_cost) as total from costs.node_daily where node <> ''"
        )

        assert nodes == costs
        assert of_nodes["total"] == costs["total"]  # what no node carries was taken off idle cost


def test_a_node_or_volume_that_was_lost_is_found_in_its_day(data):
    data.given("raw.asset", NODE)
    volumes = '{"pv-1":{"byteHours":1,"cost":0.25}}'
    data.given("raw.allocation", {**REQUESTED, "volumes": volumes})
    data.fill(*EFFICIENCY_TABLES)
    assert data.check("nodes_and_volumes_preserve_total") == []

    data.connection.execute("delete from costs.node_daily; delete from costs.volume_daily")

    lost = data.check("nodes_and_volumes_preserve_total")
    assert {row["table_name"]: row["total_cost"] for row in lost} == {
        "costs.node_daily": Decimal("0.06"),
        "costs.volume_daily": Decimal("0.25"),
    }
