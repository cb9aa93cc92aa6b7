"""Usage, prices and presence, from a real Prometheus whose history is known in closed form.

Samples lie at second 17 of each minute, as in real scraping; the history begins an hour before the
window and breaks off 7 minutes after it.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from finops_pipeline import http
from finops_pipeline.catalog.raw_schemas import raw_schema
from finops_pipeline.errors import ServerError, ServerMalformed, ServerRejected, ServerUnavailable
from finops_pipeline.sources import prometheus
from finops_pipeline.units import GIB, WINDOW, windows
from finops_pipeline_tests import servers
from finops_pipeline_tests.sources.recordings import DAY, reading

TEN = datetime(2026, 3, 1, 10, tzinfo=UTC)
MATCHERS = 'cluster="prod"'
ALWAYS = range(-60, 22)
SCHEMAS = {
    name: raw_schema(name) for name in ("raw.container_usage", "raw.volume_usage", "raw.price")
}
MINUTE = 1 / 60  # of an hour: one scrape

Series = tuple[str, Mapping[str, str], Callable[[float], float], Iterable[int]]


def constant(value: float) -> Callable[[float], float]:
    return lambda _: value


def rising(per_minute: float) -> Callable[[float], float]:
    return lambda minute: 1000 + per_minute * minute


def container(name: str, **labels: str) -> dict[str, str]:
    return {"namespace": "shop", "pod": f"{name}-1", "container": name, **labels}


def used(
    name: str, cores: float, memory: float, minutes: Iterable[int] = ALWAYS, **labels: str
) -> list[Series]:
    """List what cAdvisor tells of a container that uses the same all its life."""
    began = min(minutes)
    of = container(name, **{"id": f"/kubepods/{name}", **labels})
    return [
        (
            "container_cpu_usage_seconds_total",
            of,
            lambda minute: 60 * cores * (minute - began),
            minutes,
        ),
        ("container_memory_working_set_bytes", of, constant(memory), minutes),
    ]


def declared(name: str, replica: str) -> list[Series]:
    return [
        (
            f"kube_pod_container_resource_{kind}",
            container(name, resource=resource, uid="u", instance=replica),
            constant(value),
            ALWAYS,
        )
        for kind, resource, value in (
            ("requests", "cpu", 0.5),
            ("requests", "memory", 2.0 * GIB),
            ("limits", "cpu", 1.0),
            ("limits", "memory", 4.0 * GIB),
        )
    ]


def restarted(name: str, *ends: int) -> list[Series]:
    """Restarts just before these minutes, measured by two replicas of kube-state-metrics."""
    metric = "kube_pod_container_status_restarts_total"

    def count(minute: float) -> float:
        return 3.0 + sum(minute >= end for end in ends)

    return [
        (metric, container(name, uid="u", instance=replica), count, ALWAYS)
        for replica in ("a", "b")
    ]


def ended(name: str, reason: str) -> Series:
    metric = "kube_pod_container_status_last_terminated_reason"
    return metric, container(name, uid="u", reason=reason), constant(1), ALWAYS


def throttled(name: str, periods: float, share: float) -> list[Series]:
    of = container(name, id=f"/kubepods/{name}")
    return [
        ("container_cpu_cfs_periods_total", of, rising(periods), ALWAYS),
        ("container_cpu_cfs_throttled_periods_total", of, rising(periods * share), ALWAYS),
    ]


def sent(interface: str, per_minute: float) -> list[Series]:
    of = {"namespace": "shop", "pod": "steady-1", "interface": interface}
    return [
        (f"container_network_{way}_bytes_total", of, rising(times * per_minute), ALWAYS)
        for way, times in (("transmit", 1), ("receive", 2))
    ]


def oom_events() -> list[Series]:
    of = container("oom", id="/kubepods/oom")
    return [("container_oom_events_total", of, lambda minute: 2.0 * (minute >= 5), ALWAYS)]


def gpus() -> list[Series]:
    exporter = {"namespace": "gpu-operator", "pod": "dcgm-1", "container": "dcgm"}
    renamed = {f"exported_{label}": value for label, value in container("train").items()}
    metric = "DCGM_FI_DEV_GPU_UTIL"
    return [
        (metric, {**exporter, **renamed, "gpu": "0", "UUID": "x"}, constant(50), ALWAYS),
        (metric, {**exporter, **renamed, "gpu": "1", "UUID": "y"}, constant(30), ALWAYS),
        (metric, {**container("steady"), "gpu": "0", "UUID": "z"}, constant(10), ALWAYS),
    ]


def prices() -> list[Series]:
    node, unnamed = {"node": "n1", "instance": "n1"}, {"instance": "n2"}
    return [
        ("node_cpu_hourly_cost", node, lambda minute: 0.06 if minute >= 5 else 0.03, ALWAYS),
        ("node_cpu_hourly_cost", {**node, "job": "again"}, constant(0.03), range(-60, 0)),
        ("node_cpu_hourly_cost", unnamed, constant(0.02), ALWAYS),
        ("node_ram_hourly_cost", node, constant(0.004), ALWAYS),
        ("node_gpu_hourly_cost", node, constant(0), ALWAYS),
        ("node_total_hourly_cost", node, constant(0.2), ALWAYS),
        ("node_total_hourly_cost", {"node": "n3"}, constant(0.5), range(3)),
        ("pv_hourly_cost", {"persistentvolume": "pv-1"}, constant(0.0001), ALWAYS),
        (
            "kubecost_load_balancer_cost",
            {"namespace": "shop", "service_name": "lb"},
            constant(0.0252),
            ALWAYS,
        ),
    ]


def volumes() -> list[Series]:
    claim = {"namespace": "shop", "persistentvolumeclaim": "data"}
    used = "kubelet_volume_stats_used_bytes"
    capacity = "kubelet_volume_stats_capacity_bytes"
    return [
        (used, {**claim, "job": "a"}, lambda minute: 10.0 * GIB + minute * GIB, ALWAYS),
        (used, {**claim, "job": "b"}, lambda minute: 10.0 * GIB + minute * GIB, ALWAYS),
        (capacity, claim, constant(100 * GIB), ALWAYS),
    ]


def running() -> list[Series]:
    metric = "kube_pod_container_status_running"
    return [
        (metric, container("steady", uid="u"), constant(1), ALWAYS),
        (metric, container("steady", uid="u", job="opencost"), constant(1), ALWAYS),
        (metric, container("short", uid="u"), lambda minute: 4 <= minute < 10, ALWAYS),
        (metric, container("ended", uid="u"), constant(0), ALWAYS),
    ]


def spike(minute: float) -> float:
    """Seconds of a container that is idle but for two minutes at one core."""
    return 60.0 * min(max(minute - 6, 0), 2)


HISTORY: list[Series] = [
    *used("steady", 0.2, 100.0, job="kubelet"),
    *used("steady", 0.2, 100.0, job="prometheus-operator"),  # a second scraper of the same
    *used("short", 1.0, 600.0, range(4, 10)),
    *used("again", 0.5, 200.0, range(-60, 7), id="/kubepods/first"),
    *used("again", 0.5, 400.0, range(8, 22), id="/kubepods/second"),
    ("container_cpu_usage_seconds_total", container("spiky", id="/s"), spike, ALWAYS),
    ("container_memory_working_set_bytes", container("spiky", id="/s"), lambda m: 50 + m, ALWAYS),
    *used("", 9.0, 9.0),  # the pod's own cgroup
    *used("POD", 9.0, 9.0),
    *declared("steady", "a"),
    *declared("steady", "b"),
    *restarted("steady"),
    *restarted("again", 3, 9),
    ended("again", "Error"),
    *restarted("edge", 0),  # between the last sample before the window and the first in it
    *restarted("oom", 5),
    ended("oom", "OOMKilled"),
    *restarted("killed", 5, 7),
    ended("killed", "OOMKilled"),
    *oom_events(),
    *throttled("steady", 100.0, 0.25),
    *throttled("spiky", 0.0, 0.0),
    *sent("eth0", 60.0),
    *sent("eth1", 40.0),
    *sent("lo", 1000.0),
    *gpus(),
    *prices(),
    *volumes(),
    *running(),
]


def open_metrics(history: Iterable[Series]) -> str:
    lines = []
    for metric, labels, value, minutes in history:
        for cluster, factor in (("prod", 1), ("other", 7)):
            pairs = ",".join(f'{k}="{v}"' for k, v in {**labels, "cluster": cluster}.items())
            lines += [
                f"{metric}{{{pairs}}} {factor * value(minute)} "
                f"{(TEN + timedelta(minutes=minute, seconds=17)).timestamp()}"
                for minute in minutes
            ]
    return "\n".join([*lines, "# EOF", ""])


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("closed_form")
    (folder / "history.om").write_text(open_metrics(HISTORY))
    blocks = servers.blocks(folder / "history.om", folder / "blocks")
    with servers.prometheus(blocks, folder) as server, http.client(server.url) as client:
        yield client


@pytest.fixture(scope="module")
def usage(client: httpx.Client) -> dict[str, dict[str, Any]]:
    """Rows of the window by container; what belongs to a pod by its name."""
    read = prometheus.read_window(client, "prod", TEN, TEN + WINDOW, MATCHERS)
    rows = read.tables["raw.container_usage"].to_pylist()
    assert rows == sorted(rows, key=lambda row: (row["namespace"], row["pod"], row["container"]))
    return {row["container"] or row["pod"]: row for row in rows}


pytestmark = pytest.mark.needs("prometheus", "promtool")


def test_reads_each_container_once(usage: dict[str, dict[str, Any]]):
    assert set(usage) == {
        *("again", "edge", "killed", "oom", "short", "spiky", "steady", "train"),
        "steady-1",
    }


def test_constant_use_is_cores_times_hours_though_scraped_twice(usage: dict[str, dict[str, Any]]):
    steady = usage["steady"]

    assert steady["observed_hours"] == 0.25
    assert steady["cpu_used_core_hours"] == pytest.approx(0.05, rel=1e-9)
    assert steady["cpu_mean_cores"] == pytest.approx(0.2, rel=1e-9)
    assert steady["cpu_max_cores"] == pytest.approx(0.2, rel=1e-9)
    assert (steady["memory_mean_bytes"], steady["memory_max_bytes"]) == (100.0, 100.0)
    assert steady["memory_used_byte_hours"] == 25.0


def test_a_short_life_is_not_diluted(usage: dict[str, dict[str, Any]]):
    short = usage["short"]

    assert short["observed_hours"] == pytest.approx(0.1)
    assert short["cpu_used_core_hours"] == pytest.approx(0.1, abs=MINUTE)
    assert short["cpu_mean_cores"] == pytest.approx(1.0, abs=0.17)
    assert short["memory_mean_bytes"] == 600.0
    assert short["memory_used_byte_hours"] == pytest.approx(60.0)


def test_a_recreated_container_is_added_up(usage: dict[str, dict[str, Any]]):
    again = usage["again"]

    assert again["observed_hours"] == pytest.approx(0.25 * 14 / 15)
    assert again["cpu_used_core_hours"] == pytest.approx(0.5 * 0.25, abs=0.5 * 2 * MINUTE)
    assert again["memory_mean_bytes"] == pytest.approx((7 * 200 + 7 * 400) / 14)
    assert again["memory_max_bytes"] == 400.0


def test_the_maximum_is_of_five_minutes_inside_the_window(usage: dict[str, dict[str, Any]]):
    spiky = usage["spiky"]

    assert spiky["cpu_used_core_hours"] == pytest.approx(2 / 60, rel=0.08)
    assert 0.4 <= spiky["cpu_max_cores"] <= 0.5
    assert (spiky["memory_mean_bytes"], spiky["memory_max_bytes"]) == (57.0, 64.0)


def test_requests_and_limits_of_two_replicas_count_once(usage: dict[str, dict[str, Any]]):
    columns = (
        *("cpu_request_cores", "memory_request_bytes"),
        *("cpu_limit_cores", "memory_limit_bytes"),
    )

    assert [usage["steady"][name] for name in columns] == [0.5, 2.0 * GIB, 1.0, 4.0 * GIB]
    assert [usage["short"][name] for name in columns] == [None] * 4


@pytest.mark.parametrize(
    ("name", "restarts", "kills"),
    [
        ("steady", 0, 0),
        ("again", 2, 0),
        ("edge", 1, None),  # without a reason
        ("oom", 1, 2),
        ("killed", 2, 2),
        ("short", None, None),
    ],
)
def test_restarts_and_kills_are_whole_and_unknown_is_null(
    name: str, restarts: int | None, kills: int | None, usage: dict[str, dict[str, Any]]
):
    assert (usage[name]["restart_count"], usage[name]["oom_kill_count"]) == (restarts, kills)


def test_throttling_is_a_share_of_periods(usage: dict[str, dict[str, Any]]):
    assert usage["steady"]["cpu_throttled_ratio"] == pytest.approx(0.25)
    assert usage["spiky"]["cpu_throttled_ratio"] is None  # no period: 0 / 0


def test_network_belongs_to_the_pod_and_adds_interfaces(usage: dict[str, dict[str, Any]]):
    pod = usage["steady-1"]

    assert (pod["container"], pod["observed_hours"], pod["cpu_used_core_hours"]) == ("", None, None)
    assert pod["network_transmit_bytes"] == pytest.approx(15 * 100)
    assert pod["network_receive_bytes"] == pytest.approx(15 * 200)
    assert usage["steady"]["network_transmit_bytes"] is None


def test_gpus_of_a_container_are_added_under_either_name(usage: dict[str, dict[str, Any]]):
    assert usage["steady"]["gpu_used_hours"] == pytest.approx(0.1 * 0.25)
    assert usage["short"]["gpu_used_hours"] is None


def test_prices_are_weighted_by_the_time_they_held(client: httpx.Client):
    read = prometheus.read_window(client, "prod", TEN, TEN + WINDOW, MATCHERS)

    rows = [list(row.values())[2:] for row in read.tables["raw.price"].to_pylist()]
    balancer, *rows = rows
    assert balancer == ["load_balancer", "shop/lb", *[None] * 5, pytest.approx(0.0252)]
    assert [row.pop() for row in rows] == [None] * len(rows)
    assert rows == [
        ["node", "n1", pytest.approx(0.05), 0.004, 0.0, pytest.approx(0.2), None],
        ["node", "n2", 0.02, None, None, None, None],
        ["node", "n3", None, None, None, 0.5, None],
        ["volume", "pv-1", None, None, None, None, pytest.approx(0.0001)],
    ]


def test_volumes_are_means_of_the_window(client: httpx.Client):
    read = prometheus.read_window(client, "prod", TEN, TEN + WINDOW, MATCHERS)

    (row,) = read.tables["raw.volume_usage"].to_pylist()
    assert (row["namespace"], row["volume_claim"]) == ("shop", "data")
    assert row["used_bytes"] == pytest.approx(17 * GIB)
    assert row["capacity_bytes"] == 100 * GIB


def test_equal_answers_give_equal_tables(client: httpx.Client):
    first, second = (
        prometheus.read_window(client, "prod", TEN, TEN, MATCHERS).tables for _ in range(2)
    )

    assert first == second
    assert {name: table.schema for name, table in first.items()} == SCHEMAS


def test_a_window_without_anything_is_empty_and_no_error(client: httpx.Client):
    long_ago = TEN - timedelta(days=30)
    read = prometheus.read_window(client, "prod", long_ago, TEN, MATCHERS)

    assert [table.num_rows for table in read.tables.values()] == [0, 0, 0]
    assert {name: table.schema for name, table in read.tables.items()} == SCHEMAS


def test_presence_is_who_ran_and_what_was_scraped(client: httpx.Client):
    seen = prometheus.read_presence(client, "prod", TEN, MATCHERS)

    assert seen.running_sample_count == {
        ("shop", "steady-1", "steady"): 15,
        ("shop", "short-1", "short"): 6,
        ("shop", "ended-1", "ended"): 0,
    }
    assert (seen.opencost_sample_ratio, seen.kube_state_sample_ratio) == (1.0, 1.0)
    assert seen.ran_throughout == {("shop", "steady-1", "steady")}
    assert seen.mean_node_hour_price == pytest.approx((0.2 * 15 + 0.5 * 3) / 18)
    assert seen.whole_node_count == 1
    assert seen.warning is None


def test_presence_tells_the_share_of_scrapes_that_were_missed(client: httpx.Client):
    half = prometheus.read_presence(client, "prod", TEN + WINDOW, MATCHERS)
    after = prometheus.read_presence(client, "prod", TEN + 2 * WINDOW, MATCHERS)
    never = prometheus.read_presence(client, "prod", TEN - timedelta(days=30), MATCHERS)

    assert half.opencost_sample_ratio == half.kube_state_sample_ratio == pytest.approx(7 / 15)
    assert after.opencost_sample_ratio == after.kube_state_sample_ratio == 0.0
    assert (never.opencost_sample_ratio, never.mean_node_hour_price) == (None, None)


def test_a_whole_window_agrees_with_the_recorded_opencost(recorded_prometheus: httpx.Client):
    """Agree within its rounding; of shorter lives it spreads the usage over 15 minutes: too low."""
    compared = 0
    for start in windows(DAY, DAY + timedelta(days=1)):
        tables = prometheus.read_window(recorded_prometheus, "prod", start, start).tables
        measured = {
            (row["namespace"], row["pod"], row["container"]): row
            for row in tables["raw.container_usage"].to_pylist()
        }
        for row in reading("day", start).tables["raw.allocation"].to_pylist():
            of = measured.get((row["namespace"], row["pod"], row["container"]))
            if of and row["minutes"] == 15:
                hours = row["cpu_usage_cores"] / 4
                assert of["cpu_used_core_hours"] == pytest.approx(hours, abs=0.5e-5 / 4)
                assert of["memory_mean_bytes"] == pytest.approx(row["memory_usage_bytes"], 1e-11)
                compared += 1
    assert compared == 3253


def answering(status: int, body: bytes) -> httpx.Client:
    transport = httpx.MockTransport(lambda _: httpx.Response(status, content=body))
    return httpx.Client(base_url="http://prometheus", transport=transport)


def answer(*samples: tuple[Mapping[str, str], str], **more: Any) -> bytes:
    end = (TEN + WINDOW).timestamp()
    result = [{"metric": labels, "value": [end, value]} for labels, value in samples]
    data = {"resultType": "vector", "result": result}
    return json.dumps({"status": "success", "data": data, **more}).encode()


RATIO = {"quantity": "opencost_sample_ratio"}


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf"])
def test_what_is_no_number_is_missing(value: str):
    seen = prometheus.read_presence(answering(200, answer((RATIO, value))), "prod", TEN)

    assert seen.opencost_sample_ratio is None


@pytest.mark.parametrize(
    ("warnings", "reason"),
    [
        ([], None),
        (["PromQL info: metric might not be a counter"], None),
        (["store is away"], "Prometheus warned: store is away"),
    ],
)
def test_a_partial_answer_degrades_the_reading(warnings: list[str], reason: str | None):
    client = answering(200, answer(warnings=warnings))
    read = prometheus.read_window(client, "prod", TEN, TEN)

    assert (read.is_degraded, read.reason) == (reason is not None, reason)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, b"", ServerMalformed),
        (200, b"<html>sign in</html>", ServerMalformed),
        (200, answer()[:-1], ServerMalformed),
        (200, answer() + answer(), ServerMalformed),
        (200, answer((RATIO, "many")), ServerMalformed),
        (200, answer(({}, "1")), ServerMalformed),
        (200, answer(({"quantity": "other"}, "1")), ServerMalformed),
        (200, answer((RATIO, "1")).replace(b"[17", b"[16"), ServerMalformed),
        (200, b'{"status":"error","errorType":"timeout","error":"too slow"}', ServerMalformed),
        (200, b'{"status":"success","data":null}', ServerMalformed),
        (400, b'{"status":"error","errorType":"bad_data"}', ServerRejected),
        (422, b'{"status":"error","errorType":"execution"}', ServerRejected),
        (503, b"", ServerUnavailable),
    ],
)
def test_what_is_not_an_answer_is_one_error(status: int, body: bytes, error: type[ServerError]):
    with pytest.raises(error) as raised:
        prometheus.read_presence(answering(status, body), "prod", TEN)

    assert str(raised.value).startswith("cluster prod: POST http://prometheus/api/v1/query: ")
    assert f"status {status}: " in str(raised.value)
    assert str(raised.value).endswith(repr(body[:200]))


def test_a_long_query_is_posted_and_matchers_are_in_every_selector():
    forms = []

    def respond(request: httpx.Request) -> httpx.Response:
        forms.append((request.method, request.content or request.url.query))
        return httpx.Response(200, content=answer())

    transport = httpx.MockTransport(respond)
    with httpx.Client(base_url="http://prometheus", transport=transport) as client:
        prometheus.read_window(client, "prod", TEN, TEN, MATCHERS)

    assert [method for method, _ in forms] == ["POST", "GET", "GET"]
    for quantities in prometheus.QUERIES.values():
        text = prometheus.query(quantities, MATCHERS)
        assert text.count("{") == text.count(MATCHERS) == text.count("}")
