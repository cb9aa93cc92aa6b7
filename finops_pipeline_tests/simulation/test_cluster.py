from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_pipeline.simulation.cluster import Cluster, Window
from finops_pipeline.simulation.schedule import DAY_MINUTES, day_minute
from finops_pipeline.units import DAY
from finops_pipeline_tests.simulation.conftest import ANCHOR

QUARTERS = st.integers(min_value=-400 * 96, max_value=60 * 96 - 1)
SEEDS = st.integers(min_value=0, max_value=5)
_CLUSTERS = {seed: Cluster(seed, ANCHOR) for seed in range(6)}


def window(cluster: Cluster, quarter: int, quarters: int = 1) -> Window:
    start = day_minute(ANCHOR, 0) + quarter * 15
    return cluster.window(start, start + quarters * 15)


def figures(window: Window) -> list[object]:
    names = [(run.pod.name, run.container) for run in window.runs]
    return [names, *(column.tolist() for column in (window.cpu_cost, *window.usage[:4]))]


@settings(max_examples=40)
@given(SEEDS, QUARTERS)
def test_no_node_is_oversold(seed, quarter):
    view = window(_CLUSTERS[seed], quarter)
    hours = view.node_minutes / 60
    cores = np.bincount(view.node_of, view.cpu_core_hours, len(view.nodes))
    memory = np.bincount(view.node_of, view.memory_byte_hours, len(view.nodes))
    gpus = np.bincount(view.node_of, view.gpu_hours, len(view.nodes))

    assert (cores <= view.node_prices("cores") * hours + 1e-9).all()
    assert (memory <= view.node_prices("memory_gib") * hours * 2**30 + 1).all()
    assert (gpus <= view.node_prices("gpus") * hours + 1e-9).all()


@settings(max_examples=40)
@given(SEEDS, QUARTERS)
def test_billed_is_the_larger_of_request_and_usage(seed, quarter):
    view = window(_CLUSTERS[seed], quarter)
    hours = view.minutes / 60

    assert view.cpu_core_hours == pytest.approx(np.fmax(view.cpu_request, view.usage.cpu) * hours)
    assert view.memory_byte_hours == pytest.approx(
        np.fmax(view.memory_request, view.usage.memory) * hours
    )


@settings(max_examples=40)
@given(SEEDS, QUARTERS)
def test_usage_stays_inside_limits_and_below_its_own_highest(seed, quarter):
    view = window(_CLUSTERS[seed], quarter)
    usage = view.usage

    assert ((usage.cpu >= 0) & (usage.cpu <= usage.cpu_max)).all()
    assert ((usage.memory > 0) & (usage.memory <= usage.memory_max * (1 + 1e-12))).all()
    assert not (usage.cpu_max > view.cpu_limit).any()
    assert not (usage.memory_max > view.memory_limit * (1 + 1e-12)).any()
    assert ((view.minutes > 0) & (view.minutes <= 15)).all()


@settings(max_examples=40)
@given(SEEDS, QUARTERS)
def test_a_container_is_one_row_of_a_window(seed, quarter):
    view = window(_CLUSTERS[seed], quarter)
    keys = [(run.namespace, run.pod.name, run.container) for run in view.runs]

    assert len(keys) == len(set(keys))
    ghosts = {(run.namespace, run.pod.name, run.container) for run in view.ghosts}
    assert not ghosts & set(keys)


@settings(max_examples=15)
@given(QUARTERS)
def test_equal_seed_and_anchor_give_equal_windows_in_any_order(quarter):
    window(_CLUSTERS[1], quarter + 500)
    cached, fresh = window(_CLUSTERS[1], quarter), window(Cluster(1, ANCHOR), quarter)

    assert figures(cached) == figures(fresh)


def test_another_seed_is_another_cluster():
    assert figures(window(_CLUSTERS[1], 0)) != figures(window(_CLUSTERS[2], 0))


@settings(max_examples=5)
@given(SEEDS, st.integers(-300, 30))
def test_a_day_is_the_sum_of_its_windows(seed, day):
    cluster = _CLUSTERS[seed]
    whole = window(cluster, day * 96, 96)
    parts = [window(cluster, day * 96 + i) for i in range(96)]

    for name in ("cpu_cost", "memory_cost", "gpu_cost", "node_minutes", "minutes"):
        total = sum(getattr(part, name).sum() for part in parts)
        assert getattr(whole, name).sum() == pytest.approx(total), name
    used = sum((part.usage.cpu * part.minutes).sum() for part in parts)
    assert (whole.usage.cpu * whole.minutes).sum() == pytest.approx(used)
    assert whole.usage.oom_kills.sum() == sum(part.usage.oom_kills.sum() for part in parts)


@settings(max_examples=30)
@given(QUARTERS, st.integers(1, 14))
def test_a_window_splits_anywhere(quarter, minutes):
    cluster, start = _CLUSTERS[0], day_minute(ANCHOR, 0) + quarter * 15
    first = cluster.window(start, start + minutes)
    rest = cluster.window(start + minutes, start + 15)
    whole = cluster.window(start, start + 15)

    assert whole.cpu_cost.sum() == pytest.approx(first.cpu_cost.sum() + rest.cpu_cost.sum())
    assert whole.minutes.sum() == first.minutes.sum() + rest.minutes.sum()
    ends = first.usage.restarts.sum() + rest.usage.restarts.sum()
    assert whole.usage.restarts.sum() == ends


def test_is_as_large_as_promised(cluster):
    sizes = [len(window(cluster, quarter).runs) for quarter in range(-96, 0)]

    assert min(sizes) >= 120
    assert max(sizes) <= 165
    assert len({(w.namespace, w.name) for w in cluster.catalog.workloads}) >= 58
    assert len(cluster.catalog.namespaces) == 10


def test_nothing_is_known_before_the_history(cluster):
    first = cluster.first_minute

    with pytest.raises(ValueError, match="nothing is known"):
        cluster.window(first - 30, first)
    assert cluster.window(first - 30, first + 15).start == first
    assert len(cluster.window(first, first + 15).runs) > 50
    assert timedelta(minutes=day_minute(ANCHOR, 0) - first) == 400 * DAY


def test_days_and_weeks_have_a_rhythm(cluster):
    def cores(days: float, namespace: str) -> float:
        view = window(cluster, round(days * 96), 12)
        is_own = np.array([run.namespace == namespace for run in view.runs])
        return float((view.usage.cpu * view.minutes)[is_own].sum())

    monday_noon, monday_night, sunday_noon = -1 + 0.5, -1 + 0.05, -2 + 0.5
    assert cores(monday_noon, "staging") > 2 * cores(monday_night, "staging")
    assert cores(monday_noon, "staging") > 2 * cores(sunday_noon, "staging")


def test_it_grows_slowly(cluster):
    year_ago, now = (window(cluster, days * 96, 96) for days in (-364, 0))

    assert now.usage.cpu.size > year_ago.usage.cpu.size
    assert 1.1 < now.cpu_cost.sum() / year_ago.cpu_cost.sum() < 1.8
    assert len(now.nodes) > len(year_ago.nodes)


def test_spot_nodes_are_taken_back_within_days(cluster):
    start = day_minute(ANCHOR, -30)
    nodes = cluster.nodes(start, start + 30 * DAY_MINUTES)
    lives = [(n.end - n.start) / DAY_MINUTES for n in nodes if n.pool.is_spot]

    assert len(lives) >= 20
    assert max(lives) < 10
