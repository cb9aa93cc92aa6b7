"""Ticks over real servers: what is read again, what fails, and what a failure leaves alone."""

import json
import math
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest

from finops_pipeline.simulation.answer import TEXT, Answer
from finops_pipeline.simulation.server import serve
from finops_pipeline.units import WINDOW, rfc3339
from finops_pipeline_tests import servers
from finops_pipeline_tests.installation.homes import (
    CLUSTER,
    DAY,
    Home,
    Sources,
    TickResult,
    at,
    home,
)
from finops_pipeline_tests.servers import Recorded, Replay


def question(start: datetime) -> servers.Question:
    """Return how the pipeline asks for the allocations of a window."""
    window = f"{rfc3339(start)},{rfc3339(start + WINDOW)}"
    return servers.question(f"/allocation?window={window}&includeIdle=true")


def answer_with(document: Any) -> Recorded:
    return Recorded(200, "application/json", json.dumps(document).encode())


def ledger(home: Home, columns: str, table_name: str = "raw.allocation") -> list[Any]:
    """Return the ledger's windows of one table, oldest first."""
    rows = home.ask(
        f"select {columns} from core.window where table_name = '{table_name}' order by window_start"
    )
    return [tuple(row.values()) for row in rows]


# Read again


@pytest.mark.needs("prometheus", "promtool")
def test_a_window_is_read_again_after_an_hour_and_a_day(recorded_home, opencost):
    state = "status, read_count, next_read_at"
    recorded_home.tick(at(0, 20))
    assert ledger(recorded_home, state) == [("provisional", 1, at(1, 15))]
    ((total,),) = ledger(recorded_home, "total")

    make_dearer(opencost, at(0), by=0.5)
    recorded_home.tick(at(1, 20))
    first, *others = ledger(recorded_home, state)
    assert first == ("provisional", 2, at(24, 15))
    assert [status for status, *_ in others] == ["provisional"] * 4

    recorded_home.tick(at(48), DAY.date())
    first, *others = ledger(recorded_home, state)
    assert first == ("final", 3, None)
    assert others == [("final", 2, None)] * 4 + [("final", 1, None)] * 91
    (change,) = recorded_home.ask("from core.restatement")
    assert (change["window_start"], change["reason"]) == (at(0), "read again after 1 h")
    assert (change["old_total"], change["new_total"]) == (total, total + Decimal("0.5"))


def make_dearer(opencost: Replay, start: datetime, by: float) -> None:
    """Make the source say later that something cost more than it said first."""
    document = json.loads(opencost.answers[question(start)].body)
    document["data"][0]["__idle__"]["totalCost"] += by
    opencost.answers[question(start)] = answer_with(document)


# Prometheus dies within a tick and comes back


class Outage(NamedTuple):
    """A tick during which Prometheus died, what was published then, and the tick after."""

    home: Home
    during: TickResult
    allocations: list[Any]
    usage: list[Any]
    last_failure: str
    after: TickResult


@pytest.fixture(scope="module")
def outage(tmp_path_factory, history) -> Iterator[Outage]:
    folder = tmp_path_factory.mktemp("outage")
    answers = servers.recorded(servers.ANSWERS / "opencost" / "day")
    with servers.prometheus(history, folder / "first") as prometheus:

        def respond(handler: BaseHTTPRequestHandler) -> None:
            asked = servers.question(handler.path)
            if asked == question(at(0)):  # the second window of the tick
                prometheus.kill()
            servers.send(handler, answers[asked])

        with (
            servers.responding(respond) as opencost,
            home(folder, {CLUSTER: Sources(opencost, prometheus.url)}) as own_home,
        ):
            during = own_home.tick(at(0, 50))
            allocations = ledger(own_home, "window_start, status, is_verified, reason")
            usage = ledger(own_home, "status, row_count", "raw.container_usage")
            (failed,) = own_home.ask("from core.cluster where source = 'prometheus'")
            port = int(prometheus.url.rpartition(":")[2])
            with servers.prometheus(history, folder / "second", port):
                after = own_home.tick(at(1, 20))
            yield Outage(own_home, during, allocations, usage, failed["last_failure"], after)


@pytest.mark.needs("prometheus", "promtool")
def test_costs_are_kept_as_unverified_when_prometheus_dies_in_a_tick(outage):
    unasked = "Prometheus could not be asked"

    assert outage.allocations == [
        (at(0, 0), "provisional", False, unasked),
        (at(0, 15), "provisional", False, unasked),
        (at(0, 30), "provisional", True, None),
    ]


@pytest.mark.needs("prometheus", "promtool")
def test_usage_stays_absent_with_its_reason_and_a_red_check(outage):
    assert {status for status, _ in outage.usage} == {"absent"}
    assert "no answer: ConnectError" in outage.last_failure
    assert outage.during.red == {"sources_reachable"}
    (row,) = outage.during.checks["sources_reachable"]
    assert row.startswith(f"| {CLUSTER} | prometheus |")


@pytest.mark.needs("prometheus", "promtool")
def test_the_next_tick_fills_usage_and_later_readings_verify(outage):
    usage = ledger(outage.home, "status, row_count > 0", "raw.container_usage")
    allocations = ledger(outage.home, "window_start, is_verified, read_count")

    assert usage == [("provisional", True)] * 5
    # An hour has passed since the end of the first window; the second waits for its own.
    assert allocations[:3] == [(at(0, 0), True, 2), (at(0, 15), False, 1), (at(0, 30), True, 1)]
    assert outage.after.red == set()


# Answers that cannot be used


def shift(body: bytes, start: datetime) -> bytes:
    """Return the same answer for a window 5 minutes later."""
    moved = body
    for instant in (start + WINDOW, start):
        later = rfc3339(instant + WINDOW / 3).encode()
        moved = moved.replace(rfc3339(instant).encode(), later)
    return moved


def with_cost(body: bytes, cost: Any) -> bytes:
    """Replace the costs of one container."""
    document = json.loads(body)
    item = one_container(document)
    item |= {name: cost for name in item if name.endswith("Cost")}
    return json.dumps(document).encode()


def without_minutes(body: bytes) -> bytes:
    document = json.loads(body)
    del one_container(document)["minutes"]
    return json.dumps(document).encode()


def with_more_fields(body: bytes) -> bytes:
    document = json.loads(body)
    one_container(document)["cpuCoreLimitAverage"] = {"new": [1, None, "shape"]}
    return json.dumps(document | {"warnings": ["a field of tomorrow"]}).encode()


def one_container(document: Any) -> dict[str, Any]:
    items = document["data"][0].values()
    return next(item for item in items if item["properties"].get("container") == "sh")


Spoil = Callable[[bytes, datetime], bytes]
UNUSABLE: dict[str, Spoil] = {
    "invalid JSON": lambda body, _: b'{"code":200,"data":[{]}',
    "truncated JSON": lambda body, _: body[: len(body) // 2],
    "an empty body": lambda body, _: b"",
    "two documents": lambda body, _: body + body,
    "an error document": lambda body, _: b'{"code":500,"status":"error","message":"boom"}',
    "the window before": lambda body, start: body.replace(
        rfc3339(start + WINDOW).encode(), rfc3339(start - WINDOW).encode()
    ),
    "a shifted window": shift,
    "NaN": lambda body, _: with_cost(body, math.nan),
    "infinity": lambda body, _: with_cost(body, math.inf),
    "a number beyond all": lambda body, _: with_cost(body, 0).replace(b'Cost": 0', b'Cost": 1e999'),
    "no minutes": lambda body, _: without_minutes(body),
}
USABLE: dict[str, Spoil] = {
    "null costs": lambda body, _: with_cost(body, None),
    "fields of a later version": lambda body, _: with_more_fields(body),
}
# Every third window is left as it was: after three bad answers in a row a source is not asked on.
SPOILED = {
    kind: DAY + (place + place // 2) * WINDOW for place, kind in enumerate([*UNUSABLE, *USABLE])
}
UNAVAILABLE = max(SPOILED.values()) + WINDOW  # served last: no other is asked for after it
NEWEST = UNAVAILABLE + WINDOW  # served first
NOW = NEWEST + 2 * WINDOW
REFUSED = {*(SPOILED[kind] for kind in UNUSABLE), UNAVAILABLE}


class Spoiled(NamedTuple):
    """A tick over answers of which most are bad, what they were, and a tick after they healed."""

    home: Home
    result: TickResult
    bodies: dict[str, bytes]
    windows: dict[datetime, dict[str, Any]]
    files: set[str]
    healed: TickResult


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory, prometheus) -> Iterator[Spoiled]:
    with (
        servers.opencost() as opencost,
        home(
            tmp_path_factory.mktemp("spoiled"), {CLUSTER: Sources(opencost.url, prometheus)}
        ) as own_home,
    ):
        right, bodies = dict(opencost.answers), {}
        for kind, spoil in (UNUSABLE | USABLE).items():
            start = SPOILED[kind]
            bodies[kind] = spoil(right[question(start)].body, start)
            opencost.answers[question(start)] = Recorded(200, "application/json", bodies[kind])
        opencost.answers[question(UNAVAILABLE)] = Recorded(502, "text/html", b"<h1>Bad Gateway")
        result = own_home.tick(NOW)
        rows = own_home.ask("from core.window where table_name = 'raw.allocation'")
        files = own_home.lake_files()
        windows = {row["window_start"]: row for row in rows}
        opencost.answers.update({question(start): right[question(start)] for start in REFUSED})
        yield Spoiled(own_home, result, bodies, windows, files, own_home.tick(NOW))


@pytest.mark.needs("prometheus", "promtool")
@pytest.mark.parametrize("kind", UNUSABLE)
def test_an_answer_that_cannot_be_used_is_refused_and_named(spoiled, kind):
    row = spoiled.windows[SPOILED[kind]]
    asked = f"/allocation?window={quote(rfc3339(SPOILED[kind]))}"

    assert (row["status"], row["read_count"], row["file"]) == ("absent", 0, None)
    assert row["reason"].startswith(f"cluster {CLUSTER}: GET http://127.0.0.1:")
    assert asked in row["reason"]
    assert row["reason"].endswith(f": {spoiled.bodies[kind][:200]!r}")
    assert "status 200" in row["reason"]


@pytest.mark.needs("prometheus", "promtool")
def test_nothing_of_a_refused_window_is_kept(spoiled):
    expected = {
        f"{table}/window/cluster={CLUSTER}/date={DAY:%Y-%m-%d}/{start:%H%M}"
        for table in ("raw.allocation", "raw.asset")
        for start in spoiled.windows
        if start not in REFUSED
    }

    stored_windows = {file.rpartition("-")[0] for file in spoiled.files if "raw.a" in file}
    assert stored_windows == expected


@pytest.mark.needs("prometheus", "promtool")
def test_a_refused_window_leaves_the_others_alone(spoiled):
    read = {start for start, row in spoiled.windows.items() if row["status"] == "provisional"}
    usage = ledger(spoiled.home, "status", "raw.container_usage")

    assert read == spoiled.windows.keys() - REFUSED
    assert len(usage) == len(spoiled.windows)
    assert spoiled.result.red >= {"sources_reachable", "windows_gapless"}
    assert "502" in spoiled.windows[UNAVAILABLE]["reason"]


@pytest.mark.needs("prometheus", "promtool")
def test_refused_windows_stay_due(spoiled):
    assert set(ledger(spoiled.home, "status, read_count")) == {("provisional", 1)}
    assert spoiled.healed.red == {"costs_finite"}


@pytest.mark.needs("prometheus", "promtool")
def test_unknown_costs_stay_unknown_and_hours_are_paid_all_the_same(spoiled):
    (row,) = spoiled.home.ask(f"""
        select source_total_cost, cpu_cost > 0 as is_paid
        from raw.allocation
        join costs.line_item using (cluster, window_start, namespace, pod, container)
        where container = 'sh' and window_start = '{SPOILED["null costs"]}'
    """)

    assert row == {"source_total_cost": None, "is_paid": True}
    (shown,) = spoiled.result.checks["costs_finite"]
    assert str(SPOILED["null costs"]) in shown


@pytest.mark.needs("prometheus", "promtool")
def test_windows_that_were_never_tried_are_missing_too(recorded_home, opencost):
    for hour in range(3):
        for minute in (0, 15, 30, 45):
            del opencost.answers[question(at(hour, minute))]

    result = recorded_home.tick(at(3, 20))

    tried = [start for (start,) in ledger(recorded_home, "window_start")]
    assert tried == [at(0, 0), at(0, 15), at(0, 30), at(3, 0)]
    missing = [row.split(" | ")[2] for row in result.checks["windows_gapless"]]
    older_than_an_hour = [str(at(0, 15 * place)) for place in range(8)]
    assert sorted(missing) == sorted(2 * older_than_an_hour)


@pytest.mark.needs("prometheus", "promtool")
def test_windows_that_stay_refused_keep_no_others_waiting(recorded_home, opencost):
    for minute in (0, 15, 30):
        del opencost.answers[question(at(0, minute))]

    recorded_home.tick(at(1, 35))
    recorded_home.tick(at(1, 35))

    states = ledger(recorded_home, "status")
    assert states == [("absent",)] * 3 + [("provisional",)] * 3


# Two clusters


class Two(NamedTuple):
    """A tick over two clusters of which one has no OpenCost."""

    home: Home
    result: TickResult


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> Iterator[Two]:
    now = at(0, 50)
    with (
        serve(anchor=DAY.date(), cluster_name="alpha", clock=lambda: now) as alpha,
        serve(anchor=DAY.date(), cluster_name="beta", clock=lambda: now) as beta,
        home(
            tmp_path_factory.mktemp("two"),
            {
                server.service.cluster.name: Sources(server.opencost_url, server.prometheus_url)
                for server in (beta, alpha)
            },
        ) as own_home,
    ):
        beta.faults["/opencost"] = Answer(b"the upstream is gone", 503, TEXT)
        yield Two(own_home, own_home.tick(now))


def test_a_cluster_without_opencost_keeps_no_other_from_being_published(two):
    progress = two.home.ask("select cluster, source, complete_until from core.cluster order by all")
    costs = two.home.ask("select distinct cluster from costs.daily")

    assert [tuple(row.values()) for row in progress] == [
        ("alpha", "opencost", at(0, 45)),
        ("alpha", "prometheus", at(0, 45)),
        ("beta", "opencost", None),
        ("beta", "prometheus", at(0, 45)),
    ]
    assert costs == [{"cluster": "alpha"}]


def test_the_failure_of_one_cluster_is_a_red_check_and_in_the_ledger(two):
    (failed,) = two.home.ask("""
        select cluster, status, reason from core.window
        where table_name = 'raw.allocation' and cluster = 'beta'
    """)

    assert two.result.red == {"sources_reachable"}
    (row,) = two.result.checks["sources_reachable"]
    assert row.startswith("| beta | opencost |")
    assert (failed["cluster"], failed["status"]) == ("beta", "absent")
    assert "cluster beta: GET " in failed["reason"]
    assert "status 503: refused: b'the upstream is gone'" in failed["reason"]
