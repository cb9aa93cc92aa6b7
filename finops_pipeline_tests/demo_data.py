"""A data folder as a day and a half of running leaves it, made without Dagster in a few seconds.

The pretend cluster answers; a label is corrected after a first reading, and Prometheus is away for
the newest windows, so that there is something restated, unverified and failed to find.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from finops_pipeline import settings as configuration
from finops_pipeline.cli.demo import OWNERS, kubeconfig
from finops_pipeline.ingest.windows import read_due
from finops_pipeline.installation.context import Installation, open_installation
from finops_pipeline.installation.source_registry import SOURCES
from finops_pipeline.operations.claims import keep_claims
from finops_pipeline.simulation import server
from finops_pipeline.simulation.answer import Answer
from finops_pipeline.simulation.server import Request, Server, Service
from finops_pipeline.units import HOUR, window_start

CONFIG = """
is_demo = true

[[clusters]]
name = "demo"
opencost_url = "{url}/opencost"
prometheus_url = "{url}/prometheus"
kubernetes_access = "kubeconfig"
kubeconfig_file = "{folder}/kubeconfig"
"""
SPAN = timedelta(hours=36)
OUTAGE = timedelta(minutes=30)


class Clock:
    """Time of the platform and the pretend cluster."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def publish(folder: Path, now: datetime | None = None, span: timedelta = SPAN) -> Path:
    """Fill ``folder/data`` beside a ``finops.toml`` and publish it; returns the folder.

    Args:
        folder: empty.
        now: end of the data; by default the machine's clock, since queries say current_date.
        span: of the data; longer than the two hours between the readings.
    """
    end = now or datetime.now(UTC)
    clock = Clock(end)
    with (
        server.serve(anchor=end.date(), clock=clock) as cluster,
        open_data(folder, cluster, clock) as installation,
    ):
        quiet = window_start(end - OUTAGE)
        clock.now = end - 2 * HOUR
        with mislabelled(cluster):
            read(installation, end - span, end)
        clock.now = end
        read(installation, end - span, quiet)
        cluster.faults["/prometheus"] = Answer(b"no Prometheus here", 503, server.TEXT)
        read(installation, quiet, end)
        installation.publish()
        keep_claims(installation)
        installation.publish()
    return folder


@contextmanager
def open_data(folder: Path, cluster: Server, clock: Clock) -> Iterator[Installation]:
    """Open the installation of a folder; its settings name the pretend cluster."""
    file = folder / "finops.toml"
    file.write_text(CONFIG.format(url=cluster.url, folder=folder) + OWNERS)
    (folder / "kubeconfig").write_text(kubeconfig(cluster.port))
    settings = configuration.load(file, {"FINOPS_DATA_DIR": str(folder / "data")})
    with open_installation(settings, clock) as installation:
        yield installation


def read(installation: Installation, start: datetime, end: datetime) -> None:
    """Read what is due of every source."""
    for source in SOURCES:
        read_due(source, installation, window_start(start), window_start(end))


@contextmanager
def mislabelled(cluster: Server) -> Iterator[None]:
    """OpenCost calls team search by a wrong name for a while."""
    truth = Service(cluster.service.cluster, cluster.service.clock)

    def wrong(request: Request) -> Answer:
        answer = truth.answer(request)
        return Answer(answer.body.replace(b'"team":"search"', b'"team":"serach"'), answer.status)

    cluster.faults["/opencost/allocation"] = wrong
    yield
    del cluster.faults["/opencost/allocation"]
