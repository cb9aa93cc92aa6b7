"""CPU of a tick on the embedded cluster, beyond a process that has done its imports.

Each tick runs in a process of its own and reads what a quarter of an hour brings: one new window
and two to be read again, of both sources. The cluster is yet another process, not counted. Ticks
on a short and a long history take turns: a slow machine slows both.
"""

import os
import resource
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

from bench.child import serving
from bench.figures import print_figure
from finops_pipeline import settings as configuration
from finops_pipeline.ingest.days import read_days
from finops_pipeline.ingest.windows import read_due
from finops_pipeline.installation.context import Installation, open_installation
from finops_pipeline.installation.recording import record
from finops_pipeline.installation.source_registry import SOURCES, open_clients
from finops_pipeline.sources.reading import Reading
from finops_pipeline.units import DAY, MIB, WINDOW, rfc3339, window_start, windows

ROOT = Path(__file__).parent.parent
ROUNDS = 5
MOST_CPU_SECONDS = 4
MOST_RATIO = 1.3
_BLOCK_BYTES = 512  # of ru_oublock, whatever the file system
CONFIG = """
is_demo = true

[ingest]
lookback_days = {lookback_days}

[[clusters]]
name = "demo"
opencost_url = "{url}/opencost"
prometheus_url = "{url}/prometheus"
kubernetes_access = "kubeconfig"
kubeconfig_file = "kubeconfig"
"""
KUBECONFIG = """
clusters: [{{name: demo, cluster: {{server: "{url}/kubernetes"}}}}]
users: [{{name: demo, user: {{}}}}]
contexts: [{{name: demo, context: {{cluster: demo, user: demo}}}}]
current-context: demo
"""


@dataclass(frozen=True)
class Cost:
    """What a process costs."""

    cpu_seconds: float
    written_mib: float


def main() -> None:
    """Print one line per figure."""
    # The cluster answers for the past only: ticks pretend to run in the last hours.
    now = window_start(datetime.now(UTC)) - (ROUNDS + 2) * WINDOW + timedelta(minutes=5)
    with TemporaryDirectory() as temporary, cluster() as url:
        folders = {days: Path(temporary) / str(days) for days in (7, 35, 365)}
        for days, folder in folders.items():
            make_history(folder, url, days, now)
            tick(folder, now + WINDOW)  # makes Dagster's own tables and the list of imports, once
        seconds: dict[int, list[float]] = {days: [] for days in folders}
        for number in range(ROUNDS):
            for days, folder in folders.items():
                seconds[days].append(tick(folder, now + (2 + number) * WINDOW).cpu_seconds)
    ratios = [long / short for long, short in zip(seconds[365], seconds[7], strict=True)]
    print_figure("tick_35_days_cpu_seconds", statistics.median(seconds[35]), MOST_CPU_SECONDS)
    print_figure("tick_365_to_7_days_cpu_ratio", statistics.median(ratios), MOST_RATIO)


def cluster() -> AbstractContextManager[str]:
    """Serve the embedded cluster in a process of its own; yield its origin."""
    code = (
        "from datetime import UTC, datetime\n"
        "from finops_pipeline.simulation import server\n"
        "server.run(0, ready=lambda server: print(server.url, flush=True))"
    )
    return serving("-c", code)


def make_history(folder: Path, url: str, days: int, now: datetime) -> None:
    """Make an installation whose windows of so many days have been read and published.

    The newest two days are read as ever; the days before are the first of them again and again.
    """
    folder.mkdir()
    for name in ("dagster.yaml", "workspace.yaml"):
        shutil.copy(ROOT / name, folder)
    file = folder / "finops.toml"
    file.write_text(CONFIG.format(url=url, lookback_days=min(days, 35)))
    (folder / "kubeconfig").write_text(KUBECONFIG.format(url=url))
    settings = configuration.load(file, {"FINOPS_DATA_DIR": str(folder / "data")})
    with open_installation(settings, lambda: now) as installation:
        oldest = window_start(now) - days * DAY
        first_real = window_start(now).replace(hour=0, minute=0) - DAY
        for source in SOURCES:
            read_due(source, installation, first_real, now)
        copy_day(installation, first_real - DAY, oldest)
        while any(progress.window_counts for progress in read_days(installation)):
            pass  # a few at a time; else each measured tick would read some more
        installation.publish()


def copy_day(installation: Installation, day: datetime, oldest: datetime) -> None:
    """Record a day, and all days before it as its copies, each read a day after its end."""
    readings = [*read_day(installation, day)]
    while day + DAY > oldest:
        record(installation.lake, installation.state.ledger, readings)
        day -= DAY
        readings = [move(reading, -DAY) for reading in readings]


def read_day(installation: Installation, day: datetime) -> Iterator[Reading]:
    """Read each window of a day from both sources."""
    with open_clients(installation.settings.clusters[0]) as clients:
        for window in windows(day, day + DAY):
            for source in (source for source in SOURCES if not source.heartbeat):
                yield source.read(clients, window, window + 2 * DAY, True)


def move(reading: Reading, by: timedelta) -> Reading:
    """Return the same reading of another window."""
    start = reading.window_start + by
    tables = {name: date_rows(rows, start) for name, rows in reading.tables.items()}
    return Reading(reading.cluster, start, reading.fetched_at + by, tables)


def date_rows(rows: pa.Table, start: datetime) -> pa.Table:
    """Return the rows of a window under the date of another."""
    position = rows.schema.get_field_index("window_start")
    field = rows.schema.field(position)
    return rows.set_column(position, field, pa.array([start] * rows.num_rows, field.type))


def tick(folder: Path, now: datetime) -> Cost:
    """Return what a tick costs in a process of its own, its imports left out."""
    command = [sys.executable, "-m", "bench.bench_tick", rfc3339(now)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    seconds, written = run.stdout.split()[-2:]
    return Cost(float(seconds), float(written))


def tick_and_print(now: datetime) -> None:
    """Print what this process costs between its imports and the end of a tick."""
    from finops_pipeline.definitions import defs
    from finops_pipeline.orchestration.in_process import run_tick

    imports = Path("imports.txt")
    if imports.exists():
        import_all(imports.read_text().split())
    before = cost()
    outcome = run_tick(defs, now)
    after = cost()
    assert (outcome.is_success, outcome.windows_read) == (True, 3), outcome
    imports.write_text("\n".join(sys.modules))
    print(after.cpu_seconds - before.cpu_seconds, after.written_mib - before.written_mib)


def import_all(names: list[str]) -> None:
    """Import what an earlier tick did, the modules that are imported late among them."""
    for name in names:
        with suppress(ImportError):  # some are made by others, not found by name
            import_module(name)


def cost() -> Cost:
    """Return what this process has cost so far, its threads included."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return Cost(used.ru_utime + used.ru_stime, used.ru_oublock * _BLOCK_BYTES / MIB)


if __name__ == "__main__":
    if sys.argv[1:]:
        tick_and_print(datetime.fromisoformat(sys.argv[1]))
    else:
        main()
