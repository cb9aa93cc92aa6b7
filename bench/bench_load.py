"""CPU and memory of 50 clusters of 10,000 containers, and of a gap of a day.

One tick reads a window of all clusters; the gap is one of the embedded cluster. The servers are
other processes, so that neither their work nor their memory counts. Prometheus does not answer in
the first: costs do not wait for it.
"""

import json
import resource
import subprocess
import sys
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.bench_decode import LARGE, ROWS, many_rows
from bench.bench_tick import CONFIG, cluster
from bench.child import serving
from bench.figures import print_figure
from finops_pipeline import settings as configuration
from finops_pipeline.ingest.windows import read_due
from finops_pipeline.installation.context import open_installation
from finops_pipeline.installation.source_registry import SOURCES
from finops_pipeline.units import DAY, WINDOW, window_start
from finops_pipeline_tests.servers import body

START = datetime(2026, 11, 23, 23, tzinfo=UTC)  # recorded
CLUSTERS = 50
GAP = 96 * WINDOW
MOST_LOAD_CPU_SECONDS = 90
MOST_LOAD_MEBIBYTES = 1_500
MOST_GAP_CPU_SECONDS = 60
CLUSTER = """
[[clusters]]
name = "c-{number:02}"
opencost_url = "{url}/c-{number:02}"
prometheus_url = "{url}/c-{number:02}/prometheus"
"""


def main() -> None:
    """Print one line per figure."""
    with recorded_server() as url, TemporaryDirectory() as folder:
        text = "".join(CLUSTER.format(number=number, url=url) for number in range(CLUSTERS))
        now = START + WINDOW + timedelta(minutes=5)
        figures = measure(Path(folder), text, START, now)
    print_figure("load_500000_rows_cpu_seconds", figures["cpu_seconds"], MOST_LOAD_CPU_SECONDS)
    print_figure("load_500000_rows_peak_mib", figures["peak_mib"], MOST_LOAD_MEBIBYTES)
    print_figure("load_clusters_not_read_count", CLUSTERS - figures["windows_read"], 0)
    with cluster() as url, TemporaryDirectory() as folder:
        now = window_start(datetime.now(UTC)) + timedelta(minutes=5)
        text = CONFIG.format(lookback_days=14, url=url)
        figures = measure(Path(folder), text, window_start(now) - GAP, now)
    print_figure("gap_96_windows_cpu_seconds", figures["cpu_seconds"], MOST_GAP_CPU_SECONDS)


def recorded_server() -> AbstractContextManager[str]:
    """Serve a large recorded answer by a process of its own; yield its address."""
    return serving("-m", "bench.bench_load", "serve")


def serve() -> None:
    """Answer until terminated."""
    answers = {
        "allocation": many_rows(body(LARGE), ROWS),
        "assets": body(LARGE.with_name("assets_15m.json.gz")),
    }

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            answer = answers.get(self.path.partition("?")[0].rpartition("/")[2], b"")
            self.send_response(200 if answer else 404)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


def measure(folder: Path, config: str, start: datetime, now: datetime) -> dict[str, float]:
    """Return CPU and memory of a process that reads and publishes what is due since an instant."""
    (folder / "finops.toml").write_text(config)
    command = [sys.executable, "-m", "bench.bench_load", str(folder), str(start), str(now)]
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, float] = json.loads(run.stdout.splitlines()[-1])
    return figures


def read_and_print(folder: Path, start: datetime, now: datetime) -> None:
    """Print CPU seconds of this process, its threads included, and its peak."""
    data = {"FINOPS_DATA_DIR": str(folder / "data")}
    settings = configuration.load(folder / "finops.toml", data)
    windows_read = 0
    with open_installation(settings, lambda: now) as installation:
        for source in SOURCES:
            for progress in read_due(source, installation, start, now + DAY):
                is_cost = source.name == "opencost"
                windows_read += sum(progress.window_counts.values()) * is_cost
        installation.publish()
    used = resource.getrusage(resource.RUSAGE_SELF)
    status = Path("/proc/self/status").read_text().splitlines()
    (peak,) = (line.split()[1] for line in status if line.startswith("VmHWM:"))
    figures = {
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak_mib": int(peak) / 1024,
        "windows_read": windows_read,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        serve()
    elif sys.argv[1:]:
        folder, *instants = sys.argv[1:]
        read_and_print(Path(folder), *map(datetime.fromisoformat, instants))
    else:
        main()
