"""Reads everything that exists in a cluster of 10,000 pods: CPU and memory, from HTTP to Parquet.

The API is another process, so that neither its work nor its memory counts.
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
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bench.child import serving
from bench.figures import print_figure
from finops_pipeline import http
from finops_pipeline.ingest import inventory
from finops_pipeline.installation.recording import record
from finops_pipeline.lake.files import Lake
from finops_pipeline.sources.kubernetes import listing
from finops_pipeline.state.database import open_state
from finops_pipeline.state.schedule import Schedule
from finops_pipeline.units import WINDOW
from finops_pipeline_tests.servers import ANSWERS

LISTS = {  # recorded list, how many of its objects there are
    "/api/v1/pods": ("page_1", 10_000),
    "/apis/apps/v1/replicasets": ("list_replicasets", 5_000),
    "/apis/apps/v1/deployments": ("list_deployments", 1_000),
    "/api/v1/services": ("list_services", 1_000),
    "/api/v1/persistentvolumes": ("list_pv", 500),
    "/api/v1/persistentvolumeclaims": ("list_pvc", 500),
    "/api/v1/nodes": ("list_nodes", 300),
    "/api/v1/namespaces": ("list_namespaces", 100),
}
NAMES = {
    "/apis/storage.k8s.io/v1/storageclasses": "StorageClassList",
    "/apis/autoscaling/v2/horizontalpodautoscalers": "HorizontalPodAutoscalerList",
    "/apis/policy/v1/poddisruptionbudgets": "PodDisruptionBudgetList",
    "/apis/apps/v1/statefulsets": "StatefulSetList",
    "/apis/apps/v1/daemonsets": "DaemonSetList",
    "/apis/batch/v1/cronjobs": "CronJobList",
    "/apis/batch/v1/jobs": "JobList",
}
START = datetime(2026, 11, 24, tzinfo=UTC)
MOST_CPU_SECONDS = 10
MOST_MEBIBYTES = 500


def main() -> None:
    """Print one line per figure."""
    with api() as url, TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bench.bench_inventory", url, folder]
        run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    first, again, mebibytes = map(float, run.stdout.split())
    print_figure("inventory_10000_pods_cpu_seconds", first, MOST_CPU_SECONDS)
    print_figure("inventory_10000_pods_again_cpu_seconds", again, MOST_CPU_SECONDS)
    print_figure("inventory_10000_pods_peak_mib", mebibytes, MOST_MEBIBYTES)


def api() -> AbstractContextManager[str]:
    """Serve the pretend API in a process of its own; yield its address."""
    return serving("-m", "bench.bench_inventory", "serve")


def serve() -> None:
    """Answer pages until terminated."""
    answers = {path: _read_answer(name) for path, (name, _) in LISTS.items()}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = _page(self.path, answers)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


def _read_answer(name: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads((ANSWERS / "kubernetes" / f"{name}.json").read_bytes())
    return answer


def _page(url: str, answers: dict[str, dict[str, Any]]) -> bytes:
    """Return a page of recorded objects, again and again under new names and uids."""
    parts = urlsplit(url)
    if parts.path in NAMES:
        return json.dumps({"kind": NAMES[parts.path], "metadata": {}, "items": []}).encode()
    parameters = parse_qs(parts.query)
    begin = int(parameters.get("continue", ["0"])[0])
    count = LISTS[parts.path][1]
    end = min(count, begin + int(parameters["limit"][0]))
    answer = answers[parts.path]
    items = [_copy(answer["items"], number) for number in range(begin, end)]
    metadata = {"continue": str(end)} if end < count else {}
    return json.dumps({"kind": answer["kind"], "metadata": metadata, "items": items}).encode()


def _copy(items: list[dict[str, Any]], number: int) -> dict[str, Any]:
    item = items[number % len(items)]
    own = {"name": f"{item['metadata']['name']}-{number:05}", "uid": f"{number:032x}"}
    return {**item, "metadata": {**item["metadata"], **own}}


def read_and_print(url: str, folder: Path) -> None:
    """Print CPU seconds of two readings, and this process's peak."""
    lake = Lake(folder / "lake")
    with open_state(
        f"sqlite:///{folder / 'state.db'}", is_demo=False, currency="USD", schedule=Schedule()
    ) as state:
        for start in (START, START + WINDOW):
            before = cpu_seconds()
            with http.client(url) as client:
                at = start + WINDOW + timedelta(minutes=5)
                reading = listing.read_window(client, "bench", start, at)
            record(lake, state.ledger, [inventory.changes(lake, state.ledger, reading)])
            print(cpu_seconds() - before)
    status = Path("/proc/self/status").read_text().splitlines()
    (peak,) = (line.split()[1] for line in status if line.startswith("VmHWM:"))
    print(int(peak) / 1024)


def cpu_seconds() -> float:
    """Return the CPU of this process, its threads included."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        serve()
    elif sys.argv[1:]:
        read_and_print(sys.argv[1], Path(sys.argv[2]))
    else:
        main()
