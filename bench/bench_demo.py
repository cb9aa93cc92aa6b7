"""CPU of the demo from its start until 35 days are filled, and time until its first numbers."""

import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.figures import print_figure

ROOT = Path(__file__).parent.parent
MOST_CPU_SECONDS = 180
MOST_WALL_SECONDS = 60


def main() -> None:
    """Print one line per figure."""
    with TemporaryDirectory() as folder:
        first_numbers = run_demo(Path(folder))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print_figure("demo_35_days_cpu_seconds", used.ru_utime + used.ru_stime, MOST_CPU_SECONDS)
    print_figure("demo_first_numbers_wall_seconds", first_numbers, MOST_WALL_SECONDS)


def run_demo(folder: Path) -> float:
    """Run the demo until its days are filled, cluster and UI included.

    Returns:
        Seconds until the first numbers were published.
    """
    for name in ("dagster.yaml", "workspace.yaml"):
        shutil.copy(ROOT / name, folder)
    finops = Path(sys.executable).with_name("finops")
    command = [str(finops), "demo", "--port", str(free_port())]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    start_time = time.monotonic()
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    ) as demo:
        assert demo.stdout
        next(line for line in demo.stdout if line.startswith("First numbers"))
        seconds = time.monotonic() - start_time
        next(line for line in demo.stdout if line.startswith("All days are filled"))
        demo.send_signal(signal.SIGINT)
        demo.stdout.read()
    assert demo.returncode == 0
    return seconds


def free_port() -> int:
    """Return a port that is free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
