"""CPU of judging an answer of 3,000 containers over that of reading and recording it.

A ratio, taken in turns: a slow machine slows both. A tick does more than read and
record, so that its share of a tick is smaller.
"""

import statistics
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pyarrow.compute as pc

from bench.bench_decode import cpu_seconds
from bench.figures import print_figure
from finops_pipeline.installation.recording import record
from finops_pipeline.lake.files import Lake
from finops_pipeline.sources import opencost, plausibility
from finops_pipeline.sources.prometheus import Presence
from finops_pipeline.sources.reading import Reading
from finops_pipeline.state.database import State, open_state
from finops_pipeline_tests.servers import ANSWERS, body

LARGE = ANSWERS / "opencost" / "large"
START = datetime(2026, 11, 23, 23, tzinfo=UTC)
ROUNDS = 21
MOST_CPU_RATIO = 0.1


def main() -> None:
    """Print one line per figure."""
    answers = {
        "/allocation": body(LARGE / "alloc_15m_1.json.gz"),
        "/assets": body(LARGE / "assets_15m.json.gz"),
    }
    transport = httpx.MockTransport(
        lambda request: httpx.Response(200, content=answers[request.url.path])
    )
    with (
        TemporaryDirectory() as folder,
        httpx.Client(base_url="http://opencost", transport=transport) as client,
        open_state(f"sqlite:///{folder}/state.db", is_demo=False, currency="USD") as state,
    ):
        print_figure(
            "plausibility_cpu_ratio", cpu_ratio(client, Lake(Path(folder)), state), MOST_CPU_RATIO
        )


def cpu_ratio(client: httpx.Client, lake: Lake, state: State) -> float:
    """Return CPU of judging over that of reading and recording just after; the median round."""
    reading = opencost.read_window(client, "bench", START, START)
    presence = complete_presence(reading)
    rounds = [
        cpu_seconds(lambda: plausibility.judge(reading, presence))
        / cpu_seconds(partial(read_and_record, client, lake, state, number))
        for number in range(ROUNDS)
    ]
    return statistics.median(rounds[1:])  # the first warms up both


def read_and_record(client: httpx.Client, lake: Lake, state: State, number: int) -> None:
    """Read and record a window, under another name of the cluster each time."""
    reading = opencost.read_window(client, f"bench-{number}", START, START + timedelta(hours=1))
    record(lake, state.ledger, [reading])


def complete_presence(reading: Reading) -> Presence:
    """Return the presence of a Prometheus that agrees with OpenCost."""
    rows = reading.tables["raw.allocation"]
    rows = rows.filter(pc.is_valid(rows["node"]))
    names = [rows[name].to_pylist() for name in ("namespace", "pod", "container")]
    counts = dict.fromkeys(zip(*names, strict=True), 15.0)
    nodes = reading.tables["raw.asset"].filter(pc.field("asset_kind") == "node")
    hours = pc.sum(nodes["minutes"]).as_py() / 60
    return Presence(
        counts,
        ran_throughout=list(counts)[:10],
        controlled_pod_count=len({pod for _, pod, _ in counts}),
        opencost_sample_ratio=1.0,
        kube_state_sample_ratio=1.0,
        mean_node_hour_price=pc.sum(nodes["source_total_cost"]).as_py() / hours,
        whole_node_count=nodes.num_rows,
    )


if __name__ == "__main__":
    main()
