"""Answers that are not what their server meant, and what they say to an independent reader.

The reader is ``json``, and a list of which number of the answer belongs into which column.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any

import httpx
import pyarrow as pa

from finops_pipeline.catalog.raw_schemas import raw_schema
from finops_pipeline.errors import ServerError
from finops_pipeline.simulation.cluster import Cluster
from finops_pipeline.simulation.server import DEFAULT_SEED, Request, Service
from finops_pipeline.sources import opencost, prometheus
from finops_pipeline.sources.reading import Reading
from finops_pipeline.sources.retry import RetryBudget
from finops_pipeline_tests.sources.recordings import DAY, document

_INSERTED = (
    b"NaN",
    b"-Infinity",
    b"null",
    b'"',
    b"}",
    b"]",
    b"{",
    b"[",
    b",",
    b":",
    b"\\",
    b"\xff",
)
_VALUES = (
    *(b"null", b"true", b"[]", b"{}", b'"x"', b'"1"', b"-1", b"0", b"1e308", b"1e999", b"-0.0"),
    *(b"1e-320", b"9" * 25, b"9" * 400, b"0.1e1", b"01", b"1_0", b'"1_0"', b"NaN", b'"NaN"'),
)

# Numbers of OpenCost's answers that are kept, and where.
ALLOCATION_NUMBERS = {
    "minutes": "minutes",
    "cpuCoreRequestAverage": "cpu_request_cores",
    "cpuCoreUsageAverage": "cpu_usage_cores",
    "cpuCoreHours": "cpu_core_hours",
    "cpuCost": "source_cpu_cost",
    "cpuCostAdjustment": "cpu_adjustment_cost",
    "gpuHours": "gpu_hours",
    "gpuCost": "source_gpu_cost",
    "gpuCostAdjustment": "gpu_adjustment_cost",
    "networkTransferBytes": "network_transmit_bytes",
    "networkReceiveBytes": "network_receive_bytes",
    "networkCost": "source_network_cost",
    "networkCostAdjustment": "network_adjustment_cost",
    "loadBalancerCost": "source_load_balancer_cost",
    "loadBalancerCostAdjustment": "load_balancer_adjustment_cost",
    "pvByteHours": "storage_byte_hours",
    "pvCost": "source_storage_cost",
    "pvCostAdjustment": "storage_adjustment_cost",
    "ramByteRequestAverage": "memory_request_bytes",
    "ramByteUsageAverage": "memory_usage_bytes",
    "ramByteHours": "memory_byte_hours",
    "ramCost": "source_memory_cost",
    "ramCostAdjustment": "memory_adjustment_cost",
    "externalCost": "source_external_cost",
    "sharedCost": "source_shared_cost",
    "totalCost": "source_total_cost",
}
ASSET_NUMBERS = {
    "minutes": "minutes",
    "cpuCores": "cpu_cores",
    "ramBytes": "memory_bytes",
    "cpuCoreHours": "cpu_core_hours",
    "ramByteHours": "memory_byte_hours",
    "GPUHours": "gpu_hours",
    "bytes": "storage_bytes",
    "byteHours": "storage_byte_hours",
    "byteHoursUsed": "storage_used_byte_hours",
    "discount": "discount_ratio",
    "cpuCost": "source_cpu_cost",
    "ramCost": "source_memory_cost",
    "gpuCost": "source_gpu_cost",
    "totalCost": "source_total_cost",
    "adjustment": "adjustment_cost",
}
# Quantities of Prometheus' answers that are kept as they are; those left out enter into others.
MEASURED = (
    *("cpu_max_cores", "memory_mean_bytes", "memory_max_bytes", "cpu_request_cores"),
    *("memory_request_bytes", "cpu_limit_cores", "memory_limit_bytes", "cpu_throttled_ratio"),
    *("restart_count", "oom_kill_count", "network_transmit_bytes", "network_receive_bytes"),
    *("used_bytes", "capacity_bytes", "cpu_core_hour_price", "memory_gib_hour_price"),
    *("gpu_hour_price", "node_hour_price", "storage_gib_hour_price", "load_balancer_hour_price"),
)

ValuesByColumn = Mapping[str, Counter[Any]]  # by column: what is in it, how often, in any order


@dataclass(frozen=True)
class Question:
    """A question of a source, its right answer, and who else can read it.

    Args:
        table_name: filled from it.
        body: the right answer.
        read: reads a window where this question gets some body, and the others theirs.
        values_of: what a body says to the independent reader.
        columns: that both know.
    """

    table_name: str
    body: bytes
    read: Callable[[bytes], Reading]
    values_of: Callable[[bytes], ValuesByColumn]
    columns: tuple[str, ...]

    def mistakes(self, body: bytes) -> list[str]:
        """List what is wrong with what becomes of a body; other errors than ours are raised."""
        try:
            rows = self.read(body).tables[self.table_name]
        except ServerError as error:
            message = str(error)
            is_whole = all(
                part in message for part in ("cluster prod: ", "http://it/", "status 200: ")
            )
            return [] if is_whole else [f"an error that does not say what it is of: {message}"]
        kept = {name: Counter(rows[name].to_pylist()) for name in self.columns}
        expected = self._expected(body)
        return [
            f"{name}: kept {kept[name] - expected[name]}, said {expected[name] - kept[name]}"
            for name in self.columns
            if kept[name] != expected[name]
        ] + _impossible(rows)

    def _expected(self, body: bytes) -> ValuesByColumn:
        """Return what it says; where the reader refuses what we do not look at, what was meant."""
        try:
            return self.values_of(body)
        except (ValueError, RecursionError):
            return self.values_of(self.body)


def questions() -> dict[str, Question]:
    """List the questions to OpenCost and Prometheus, with small right answers."""
    allocations, assets = document("/allocation"), document("/assets")
    allocations["data"] = [dict(list(allocations["data"][0].items())[:6])]
    kinds = {row["type"]: name for name, row in assets["data"].items()}
    assets["data"] = {name: assets["data"][name] for name in kinds.values()}
    bodies = {"/allocation": _packed(allocations), "/assets": _packed(assets), **_samples()}
    return {
        "raw.allocation": _opencost("raw.allocation", "/allocation", ALLOCATION_NUMBERS, bodies),
        "raw.asset": _opencost("raw.asset", "/assets", ASSET_NUMBERS, bodies),
        **{name: _prometheus(name, bodies) for name in prometheus.TABLES},
    }


def mutated(body: bytes, random: Random) -> bytes:
    """Change the body by one to three mistakes."""
    for _ in range(random.randint(1, 3)):
        body = random.choice(_MUTATIONS)(body, random) or b" "
    return body


def _flip(body: bytes, random: Random) -> bytes:
    at = random.randrange(len(body))
    return body[:at] + bytes([body[at] ^ random.randint(1, 255)]) + body[at + 1 :]


def _cut(body: bytes, random: Random) -> bytes:
    return body[: random.randrange(len(body))]


def _insert(body: bytes, random: Random) -> bytes:
    at = random.randrange(len(body))
    return body[:at] + random.choice(_INSERTED) + body[at:]


def _remove(body: bytes, random: Random) -> bytes:
    at = random.randrange(len(body))
    return body[:at] + body[at + random.randint(1, 40) :]


def _replace_value(body: bytes, random: Random) -> bytes:
    found = list(re.finditer(rb':("[^"]*"|[-+.\deE]+|null|true|false)|,("[^"]*")\]', body))
    if not found:
        return body
    one = random.choice(found)
    start, end = one.span(1 if one.group(1) is not None else 2)
    return body[:start] + random.choice(_VALUES) + body[end:]


def _replace_key(body: bytes, random: Random) -> bytes:
    keys = list(re.finditer(rb'"([^"]*)":', body))
    if not keys:
        return body
    one, other = random.choice(keys), random.choice(keys)
    return body[: one.start(1)] + other.group(1) + body[one.end(1) :]


def _repeat(body: bytes, random: Random) -> bytes:
    """Repeat a pair, an object or a list: the second is often another value of the same key."""
    found = list(
        re.finditer(rb'"[^"]*":("[^"]*"|[-.\deE]+),|\{[^{}]*\},|"[^"]*":\{[^{}]*\},', body)
    )
    if not found:
        return body
    one = random.choice(found).group()
    twice = one[:-2] + b"1" + one[-2:] if one[-2:-1].isdigit() else one
    at = body.index(one)
    return body[:at] + twice + body[at:]


_MUTATIONS = (_flip, _cut, _insert, _remove, _replace_value, _replace_value, _replace_key, _repeat)


def _opencost(
    table_name: str, path: str, numbers: Mapping[str, str], bodies: Mapping[str, bytes]
) -> Question:
    def read(body: bytes) -> Reading:
        with _client({**bodies, path: body}) as client:
            return opencost.read_window(client, "prod", DAY, DAY, RetryBudget(attempts=1))

    def values_of(body: bytes) -> ValuesByColumn:
        data = _document(body)["data"]
        rows = list((data[0] if isinstance(data, list) else data).values())
        return {
            column: Counter(_number(row.get(field)) for row in rows)
            for field, column in numbers.items()
        }

    return Question(table_name, bodies[path], read, values_of, tuple(numbers.values()))


def _prometheus(table_name: str, bodies: Mapping[str, bytes]) -> Question:
    columns = tuple(name for name in raw_schema(table_name).names if name in MEASURED)

    def read(body: bytes) -> Reading:
        with _client({**bodies, table_name: body}) as client:
            budget = RetryBudget(attempts=1)
            return prometheus.read_window(client, "prod", DAY, DAY, budget=budget)

    def values_of(body: bytes) -> ValuesByColumn:
        found: dict[str, Counter[Any]] = {name: Counter() for name in columns}
        samples, rows = _document(body)["data"]["result"], set()
        for labels, value in ((sample["metric"], float(sample["value"][1])) for sample in samples):
            if math.isfinite(value):
                rows.add(_key(table_name, labels))
                found.get(labels["quantity"], Counter())[value] += 1
        return {
            name: values + Counter({None: len(rows) - values.total()})
            for name, values in found.items()
        }

    return Question(table_name, bodies[table_name], read, values_of, columns)


def _key(table_name: str, labels: Mapping[str, str]) -> tuple[str, ...]:
    """Return the labels that make a row of its own."""
    names = {
        "raw.container_usage": ("namespace", "pod", "container"),
        "raw.volume_usage": ("namespace", "persistentvolumeclaim"),
        "raw.price": ("namespace", "service_name", "node", "persistentvolume"),
    }
    return tuple(labels.get(name, "") for name in names[table_name])


def _document(body: bytes) -> Any:
    def refuse(text: str) -> None:
        raise ValueError(f"not JSON: {text}")

    return json.loads(body.decode(), parse_constant=refuse, strict=False)


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _impossible(rows: pa.Table) -> list[str]:
    """List numbers that no table may hold."""
    return [
        f"{name} has {value}"
        for name, column in zip(rows.column_names, rows.columns, strict=True)
        for value in column.to_pylist()
        if isinstance(value, float) and not abs(value) <= 1e18
    ]


def _samples() -> dict[str, bytes]:
    """Answer with a few samples of each quantity that the embedded cluster has."""
    service = Service(Cluster(DEFAULT_SEED, DAY.date(), "prod"), lambda: DAY + timedelta(days=2))
    bodies = {}
    for name, quantities in prometheus.QUERIES.items():
        params = {"query": prometheus.query(quantities), "time": "2026-11-23T00:15:00Z"}
        answer = service.answer(Request("POST", "/prometheus/api/v1/query", params, {}))
        found = json.loads(answer.body)
        found["data"]["result"] = list(_few(found["data"]["result"]))
        bodies[name] = _packed(found)
    return bodies


def _few(samples: Iterable[Any]) -> Iterable[Any]:
    seen: Counter[str] = Counter()
    for sample in samples:
        seen[sample["metric"]["quantity"]] += 1
        if seen[sample["metric"]["quantity"]] <= 3:
            yield sample


_QUERY_NAMES = {
    prometheus.query(quantities): name for name, quantities in prometheus.QUERIES.items()
}


def _client(bodies: Mapping[str, bytes]) -> httpx.Client:
    def respond(request: httpx.Request) -> httpx.Response:
        if request.url.path in bodies:
            return httpx.Response(200, content=bodies[request.url.path])
        text = (
            request.url.params.get("query")
            or dict(httpx.QueryParams(request.content.decode()))["query"]
        )
        return httpx.Response(200, content=bodies[_QUERY_NAMES[text]])

    return httpx.Client(base_url="http://it", transport=httpx.MockTransport(respond))


def _packed(found: Any) -> bytes:
    return json.dumps(found, separators=(",", ":")).encode()
