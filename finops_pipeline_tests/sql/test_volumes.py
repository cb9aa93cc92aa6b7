"""Tests of volumes: each once, however many pods mount it; all add up to what storage costs."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_pipeline_tests.sql.data import Data, empty_tables
from finops_pipeline_tests.sql.rows import CONTAINER, EFFICIENCY_TABLES, GIB

DISK = {
    "cluster": "prod",
    "asset_kind": "disk",
    "name": "pv-1",
    "storage_class": "gp3",
    "volume_claim": "data",
    "volume_claim_namespace": "shop",
    "storage_byte_hours": 8 * GIB,
}
UNMOUNTED = {
    **CONTAINER,
    "allocation": "prod//data/data-unmounted-pvcs/__unmounted__",
    "node": None,
    "namespace": "data",
    "pod": "data-unmounted-pvcs",
    "container": "__unmounted__",
    "cpu_core_hours": 0,
    "memory_byte_hours": 0,
}


def mounting(name: str, *volumes: tuple[str, Any], **others: Any) -> dict[str, Any]:
    parts = (
        f'"cluster=prod:name={name}":{{"byteHours":{4 * GIB},"cost":{cost}}}'
        for name, cost in volumes
    )
    return {
        **CONTAINER,
        "allocation": name,
        "pod": name,
        "volumes": f"{{{','.join(parts)}}}",
        **others,
    }


def daily(data: Data, view: str = "costs.volume_daily") -> dict[str, dict[str, Any]]:
    data.fill(*EFFICIENCY_TABLES)
    return {row["volume"]: row for row in data.rows(f"from {view}")}


def test_two_containers_that_mount_a_volume_are_one_row(data):
    data.given("raw.asset", DISK)
    data.given("raw.allocation", mounting("a", ("pv-1", 0.01)), mounting("b", ("pv-1", 0.02)))
    data.given(
        "raw.volume_usage",
        {"cluster": "prod", "namespace": "shop", "volume_claim": "data", "used_bytes": 24 * GIB},
    )

    volumes = daily(data)

    (volume,) = volumes.values()
    assert volume["storage_cost"] == volume["measured_cost"] == Decimal("0.03")
    assert volume["provisioned_byte_hours"] == 8 * GIB
    assert volume["used_byte_hours"] == 6 * GIB  # 24 GiB for a quarter of an hour
    assert (volume["storage_class"], volume["volume_claim"]) == ("gp3", "data")
    assert (volume["namespace"], volume["is_mounted"]) == ("shop", True)
    (share,) = data.rows("from efficiency.volume_daily")
    assert (share["storage_usage_ratio"], share["waste_cost"]) == (0.75, Decimal("0.0075"))


def test_a_volume_that_nobody_mounts_is_waste(data):
    volumes = '{"cluster=prod:name=old":{"byteHours":10737418240,"cost":0.0015}}'
    data.given("raw.allocation", {**UNMOUNTED, "volumes": volumes})

    volume = daily(data, "efficiency.volume_daily")["old"]

    assert (volume["is_mounted"], volume["namespace"]) == (False, "data")
    assert volume["waste_cost"] == volume["total_cost"] == Decimal("0.0015")
    assert (volume["storage_usage_ratio"], volume["provisioned_byte_hours"]) == (None, 10 * GIB)


def test_the_room_of_a_volume_that_nobody_measured_is_not_called_waste(data):
    data.given("raw.asset", DISK)
    data.given("raw.allocation", mounting("a", ("pv-1", 0.01)))

    volume = daily(data, "efficiency.volume_daily")["pv-1"]

    assert (volume["storage_usage_ratio"], volume["waste_cost"]) == (None, None)
    assert volume["measured_cost_ratio"] == 0


def test_the_sources_own_use_counts_where_the_kubelet_says_none(data):
    data.given("raw.asset", {**DISK, "storage_used_byte_hours": 2 * GIB})
    data.given("raw.allocation", mounting("a", ("pv-1", 0.01)))

    assert daily(data, "efficiency.volume_daily")["pv-1"]["storage_usage_ratio"] == 0.25


def test_storage_of_unknown_volumes_is_a_row_of_its_own(data):
    data.given(
        "raw.allocation", mounting("a", ("pv-1", 0.01)), {**CONTAINER, "source_storage_cost": 5}
    )

    volumes = daily(data)

    assert {name: row["storage_cost"] for name, row in volumes.items()} == {
        "": Decimal(5),
        "pv-1": Decimal("0.01"),
    }


def test_volumes_whose_cost_is_none_share_the_rows_cost_by_size(data):
    data.given(
        "raw.allocation",
        {**mounting("a", ("pv-1", '"NaN"'), ("pv-2", 1)), "source_storage_cost": 0.3},
    )

    costs = [row["storage_cost"] for row in daily(data).values()]

    assert costs == [pytest.approx(Decimal("0.15"))] * 2
    assert sum(costs) == Decimal("0.3")


@settings(max_examples=15)  # each fills every table
@given(
    st.lists(
        st.tuples(
            st.lists(
                st.tuples(st.sampled_from(["pv-1", "pv-2", "pv-3"]), st.floats(0, 2)),
                max_size=3,
                unique_by=lambda volume: volume[0],
            ),
            st.none() | st.floats(0, 5),  # of the row, as the source rounds it
            st.floats(-1, 1),  # adjusted to the bill
        ),
        min_size=1,
        max_size=5,
    )
)
def test_volumes_add_up_to_the_storage_cost_exactly(rows):
    with empty_tables() as data:
        for i, (volumes, cost, adjustment) in enumerate(rows):
            row = mounting(f"a{i}", *volumes, source_storage_cost=cost)
            data.given("raw.allocation", {**row, "storage_adjustment_cost": adjustment})
        data.fill(*EFFICIENCY_TABLES)

        (volumes,) = data.rows("select sum(storage_cost) as cost from costs.volume_daily")
        (costs,) = data.rows("select sum(storage_cost) as cost from costs.daily")

        assert (volumes["cost"] or 0) == costs["cost"]
