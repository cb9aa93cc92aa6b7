"""The demo: embedded cluster, pipeline and Dagster UI as processes that start and end together."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self

import click

from finops_pipeline.errors import FinopsError, WarehouseBusy
from finops_pipeline.settings import CONFIG_VARIABLE, PREFIX
from finops_pipeline.warehouse.connect import hold_lock

_SEED_DAYS = 2  # published first, so that there is something to see
_CHUNK_DAYS = 6  # then this many at a time, newest first, each published
_START_SECONDS = 60.0
# Ctrl-C, also where a script started us in the background; kill; the terminal is closed.
_END_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_CONFIG = """# Written by `finops demo` at each start; planted events are counted from {anchor}.
data_dir = "{data_dir}"
is_demo = true

[ingest]
lookback_days = {days}

[[clusters]]
name = "demo"
opencost_url = "http://127.0.0.1:{port}/opencost"
prometheus_url = "http://127.0.0.1:{port}/prometheus"
kubernetes_access = "kubeconfig"
kubeconfig_file = "{data_dir}/kubeconfig"
"""
# Who pays in the embedded cluster, as a company might have decided it.
OWNERS = """
[attribution]
cost_labels = ["app"]

[[attribution.rules]]
name = "tests of staging"
namespace = "staging"
team = "sre"

[sharing]
idle = "by_node"

[[teams]]
name = "checkout"
owner = "Ada Lovelace"
email = "checkout@example.com"
channel = "#checkout"

[[teams]]
name = "catalog"
cost_center = "cc-4300"

[[teams]]
name = "payments"
owner = "Grace Hopper"
email = "payments@example.com"

[[teams]]
name = "search"
cost_center = "cc-4400"

[[teams]]
name = "data-platform"

[[teams]]
name = "ml"

[[teams]]
name = "sre"

[[budgets]]
scope = "team"
name = "checkout"
month_amount = 600

[[budgets]]
scope = "team"
name = "ml"
month_amount = 800

[[budgets]]
scope = "project"
name = "insight"
month_amount = 1500
"""
_KUBECONFIG = """# Written by `finops demo` at each start.
apiVersion: v1
kind: Config
clusters: [{{name: demo, cluster: {{server: "http://127.0.0.1:{port}/kubernetes"}}}}]
users: [{{name: demo, user: {{}}}}]
contexts: [{{name: demo, context: {{cluster: demo, user: demo}}}}]
current-context: demo
"""


class Processes:
    """Child processes, each leading a group of its own, ended in reverse order."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Give children this environment on top of ours, but none of our settings."""
        inherited = {key: text for key, text in os.environ.items() if not key.startswith(PREFIX)}
        self._environment = {**inherited, **environment}
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self, *command: str, log: Path) -> subprocess.Popen[bytes]:
        """Start a program of our own environment; what it prints goes to a file."""
        program = Path(sys.executable).with_name(command[0])
        with log.open("ab") as output:
            child = subprocess.Popen(  # noqa: S603  # only our own programs
                [str(program), *command[1:]],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._environment,
                start_new_session=True,
            )
        self._running.append(child)
        return child

    def watch(self) -> NoReturn:
        """Wait until a child ends that should run for ever.

        Raises:
            FinopsError: a child has ended.
        """
        children = [child for child in self._running if child.poll() is None]
        while all(child.poll() is None for child in children):
            time.sleep(1)
        raise FinopsError("a part of the demo has ended: its log under data/logs says why")

    def __enter__(self) -> Self:
        """Make each signal that ends this process end the children first."""
        for number in _END_SIGNALS:
            signal.signal(number, signal.default_int_handler)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End every child and its own children; a second Ctrl-C leaves none behind."""
        for number in _END_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        for child in reversed(self._running):
            _end_process(child)


def run_demo(data_dir: Path, days: int, ui_port: int) -> None:
    """Start everything, publish the newest two days, fill the rest, run until Ctrl-C.

    Args:
        data_dir: where the data goes; a second start continues there.
        days: how far back it is filled.
        ui_port: of the Dagster UI.

    Raises:
        FinopsError: a part did not start, or a tick failed; its log says why.
    """
    with _only_demo(data_dir, ui_port):
        _run(data_dir, days, ui_port)


@contextlib.contextmanager
def _only_demo(data_dir: Path, ui_port: int) -> Iterator[None]:
    """Refuse a second demo over the same data: it would take the cluster from the first."""
    note = f" ({_ui_address(ui_port)})"
    with contextlib.ExitStack() as lock:
        try:
            lock.enter_context(hold_lock(data_dir / "demo", timeout_seconds=0, note=note))
        except WarehouseBusy as error:
            raise FinopsError(f"a demo runs here already: {error}") from error
        if _is_port_taken(ui_port):
            raise FinopsError(
                f"port {ui_port} is taken: choose another, as in make demo PORT={ui_port + 1}"
            )
        yield


def _run(data_dir: Path, days: int, ui_port: int) -> None:
    start_time, logs = time.monotonic(), data_dir / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    port, anchor, config = _free_port(), _read_anchor(data_dir), data_dir / "demo.toml"
    text = _CONFIG.format(data_dir=data_dir, days=days, port=port, anchor=anchor)
    config.write_text(text + OWNERS)
    (data_dir / "kubeconfig").write_text(kubeconfig(port))
    environment = {CONFIG_VARIABLE: str(config), "DAGSTER_HOME": str(Path.cwd())}
    try:
        with Processes(environment) as processes:
            _start_cluster(processes, port, anchor, logs / "cluster.log")
            newest, *older = chunks(datetime.now(UTC).date(), days)
            _fill(processes, newest, logs / "ticks.log")
            _start_ui(processes, ui_port, logs / "dagster.log")
            _print_welcome(data_dir, ui_port, time.monotonic() - start_time)
            click.echo(f"{days} days are filled, newest first:")
            for chunk in older:
                _fill(processes, chunk, logs / "ticks.log")
            click.echo("All days are filled. A tick runs every 15 minutes; Ctrl-C ends everything.")
            processes.watch()
    except KeyboardInterrupt:
        click.echo("\nEnded. `make demo` continues where it was.")


def kubeconfig(port: int) -> str:
    """Return a kubeconfig for the embedded cluster's Kubernetes API, as kubectl would read it."""
    return _KUBECONFIG.format(port=port)


def _read_anchor(data_dir: Path) -> date:
    """Return the day planted events are counted from: the first start's, so that the past stays."""
    file = data_dir / "demo-anchor"
    if not file.exists():
        file.write_text(datetime.now(UTC).date().isoformat())
    return date.fromisoformat(file.read_text().strip())


def chunks(today: date, days: int) -> list[tuple[date, date]]:
    """Return ranges of days, both ends included: the newest two, then larger ones back in time."""
    oldest = today - timedelta(days=days)  # of which the lookback's first hours are a part
    ranges = [(today - timedelta(days=_SEED_DAYS - 1), today)]
    while ranges[-1][0] > oldest:
        last = ranges[-1][0] - timedelta(days=1)
        ranges.append((max(oldest, last - timedelta(days=_CHUNK_DAYS - 1)), last))
    return ranges


def _start_cluster(processes: Processes, port: int, anchor: date, log: Path) -> None:
    child = processes.start(
        "finops", "simulate", "--port", str(port), "--anchor", anchor.isoformat(), log=log
    )
    end = time.monotonic() + _START_SECONDS
    while not _is_port_taken(port):
        if child.poll() is not None or time.monotonic() > end:
            raise FinopsError(f"the embedded cluster did not start: see {log}")
        time.sleep(0.05)


def _fill(processes: Processes, chunk: tuple[date, date], log: Path) -> None:
    first, last = chunk
    click.echo(f"reading {first} to {last} … ", nl=False)
    start_time = time.monotonic()
    child = processes.start("finops", "tick", "--from", str(first), "--to", str(last), log=log)
    if child.wait():
        *_, last_line = log.read_text(errors="replace").splitlines() or [""]
        raise FinopsError(f"the tick failed: see {log}, which ends with: {last_line}")
    click.echo(f"published after {time.monotonic() - start_time:.0f} s")


def _start_ui(processes: Processes, port: int, log: Path) -> None:
    processes.start("dagster", "dev", "-h", "127.0.0.1", "-p", str(port), log=log)


def _print_welcome(data_dir: Path, port: int, seconds: float) -> None:
    click.echo(
        f"""
First numbers of the pretend cluster are published after {seconds:.0f} s. In another terminal:

  .venv/bin/finops costs --window 7d
  .venv/bin/finops status
  any DuckDB client, read-only, on {data_dir / "finops.duckdb"}

Dagster UI (ready in a moment): {_ui_address(port)}
"""
    )


def _ui_address(port: int) -> str:
    """Return the page to begin with: costs by day, with charts, checks, columns and lineage."""
    return f"http://127.0.0.1:{port}/assets/costs/daily"


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _is_port_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _end_process(child: subprocess.Popen[bytes]) -> None:
    """End a child and its own children, gently first."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(timeout=20)
        except subprocess.TimeoutExpired:
            click.echo(f"process {child.pid} does not end: killing it", err=True)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
