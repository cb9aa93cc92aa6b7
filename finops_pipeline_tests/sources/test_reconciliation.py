"""A day in one piece is its windows, but for what rounding and resolution explain."""

import json
from collections.abc import Mapping

import pyarrow as pa
import pytest

from finops_pipeline.catalog.raw_schemas import raw_schema
from finops_pipeline.sources import opencost
from finops_pipeline.sources.reading import Reading
from finops_pipeline.sources.reconciliation import COLUMNS, judge_day
from finops_pipeline.units import DAY as ONE_DAY
from finops_pipeline.units import WINDOW, rfc3339, windows
from finops_pipeline_tests.servers import body, question, recorded
from finops_pipeline_tests.sources.recordings import CLUSTER, DAY, OPENCOST

TELLING = {
    "window_start": DAY,
    "allocation": "prod/a/shop/web-1/web",
    "node": "a",
    "namespace": "shop",
    "workload": "web",
    "minutes": 15.0,
}


@pytest.fixture(scope="module")
def parts() -> pa.Table:
    """The recorded windows of the day."""
    answers = recorded(OPENCOST / "day")
    asked = "/allocation?window={},{}&includeIdle=true"
    found = [
        opencost.parse_allocations(
            answers[question(asked.format(rfc3339(start), rfc3339(start + WINDOW)))].body,
            CLUSTER,
            start,
        )
        for start in windows(DAY, DAY + ONE_DAY)
    ]
    return pa.concat_tables(found).select(COLUMNS)


def whole(dearer: str = "", factor: float = 1.0) -> Reading:
    """Read the recorded day in one piece, with one workload dearer by a factor."""
    answer = json.loads(body(OPENCOST / "day" / "allocation_1d.json.gz"))
    for row in answer["data"][0].values():
        if row["properties"].get("controller") == dearer:
            for name in ("cpuCost", "ramCost", "pvCost", "totalCost"):
                row[name] *= factor
    rows = opencost.parse_day(json.dumps(answer).encode(), CLUSTER, DAY)
    return Reading(CLUSTER, DAY, DAY + 2 * ONE_DAY, {"raw.source_daily": rows}, is_final=True)


def table(*rows: Mapping[str, object]) -> pa.Table:
    schema = raw_schema("raw.allocation")
    columns = {name: [{**TELLING, **row}.get(name) for row in rows] for name in COLUMNS}
    return pa.table(columns, pa.schema([schema.field(name) for name in COLUMNS]))


def day(*costs: float) -> Reading:
    """Make a day on which one workload costs this, in as many rows."""
    row = {"cluster": CLUSTER, "window_start": DAY, "namespace": "shop", "workload": "web"}
    rows = [{**row, "allocation": "shop/web", "source_cpu_cost": cost} for cost in costs]
    found = pa.Table.from_pylist(rows, raw_schema("raw.source_daily"))
    return Reading(CLUSTER, DAY, DAY + 2 * ONE_DAY, {"raw.source_daily": found}, is_final=True)


def test_the_recorded_day_is_its_windows(parts):
    assert judge_day(whole(), parts) == whole()


@pytest.mark.parametrize(
    "workload", ["kafka", "payments-api", "etl-loader", "ledger-db", "checkout-web"]
)
def test_a_workload_that_is_a_hundredth_dearer_is_found(parts, workload):
    judged = judge_day(whole(workload, 1.01), parts)

    assert judged.is_degraded
    assert judged.is_verified
    assert f"/{workload} costs" in str(judged.reason)
    assert str(judged.reason).count(" in one piece") == 1


def test_a_day_whose_windows_are_not_all_there_is_not_compared():
    judged = judge_day(day(1.0), None)

    assert (judged.is_verified, judged.is_degraded) == (False, False)
    assert "some of them were not read" in str(judged.reason)


# CPU and memory of two windows and four figures of the day are rounded by half a last digit each.
@pytest.mark.parametrize(("cost", "is_degraded"), [(0.200039, False), (0.200041, True)])
def test_rounding_explains_half_a_digit_of_each_figure(cost, is_degraded):
    rows = [{"source_cpu_cost": 0.1, "window_start": DAY + n * WINDOW} for n in range(2)]

    assert judge_day(day(cost), table(*rows)).is_degraded == is_degraded


@pytest.mark.parametrize(
    ("minutes", "cost", "is_degraded"),
    [
        ((15.0, 10.0), 0.21, False),  # a minute of the second is 0.01
        ((15.0, 10.0), 0.2102, True),
        ((15.0, 15.0), 0.21, True),
        ((10.0, 10.0), 0.21, True),  # a source that loses time of all of them is not excused
    ],
)
def test_a_pod_that_starts_or_ends_is_known_to_a_minute(minutes, cost, is_degraded):
    rows = [
        {"source_cpu_cost": 0.1, "allocation": f"prod/a/shop/web-{n}/web", "minutes": reported}
        for n, reported in enumerate(minutes)
    ]

    assert judge_day(day(cost), table(*rows)).is_degraded == is_degraded


def test_what_only_one_of_both_knows_is_found():
    rows = table({"source_cpu_cost": 0.1, "workload": "other"})

    assert judge_day(day(0.1), rows).reason == (
        "the day is not its windows: shop/other costs 0.00000 in one piece, its windows 0.10000;"
        " shop/web costs 0.10000 in one piece, its windows 0.00000"
    )


def test_idle_cost_is_the_rest_and_is_not_compared():
    idle = {"allocation": "__idle__", "namespace": None, "workload": None, "source_cpu_cost": 9.0}

    assert not judge_day(day(0.1), table({"source_cpu_cost": 0.1}, idle)).is_degraded


def test_a_cluster_without_any_row_is_equal_to_itself():
    nothing = table().slice(0, 0)

    assert not judge_day(day(), nothing).is_degraded
