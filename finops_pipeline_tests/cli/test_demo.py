"""The demo as a person starts it, looks at it, ends it, and starts it again."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import pytest

from finops_pipeline.cli import demo
from finops_pipeline.errors import FinopsError
from finops_pipeline.queries.published import ask, open_published

ROOT = Path(__file__).parents[2]
FINOPS = Path(sys.executable).with_name("finops")
START_SECONDS = 120.0  # a loaded machine; alone it takes 15
STOP_SECONDS = 30.0


class Demo:
    """A running ``finops demo`` and what it has printed so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def wait_for(self, text: str) -> None:
        until = time.monotonic() + START_SECONDS
        while not any(text in line for line in self.lines):
            assert time.monotonic() < until, self.lines
            assert self._reader.is_alive(), self.lines
            time.sleep(0.1)

    def interrupt(self) -> int:
        """Interrupt it as Ctrl-C does; return the exit code."""
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(STOP_SECONDS)
        self._reader.join()
        return code

    def _read(self) -> None:
        assert self.process.stdout
        with self.process.stdout as output:
            for line in output:
                self.lines.append(line.rstrip())


@contextmanager
def running(folder: Path, port: int) -> Iterator[Demo]:
    command = [str(FINOPS), "demo", "--days", "2", "--port", str(port)]
    environment = {**os.environ, "FINOPS_CURRENCY": "EUR", "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        yield Demo(process)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(STOP_SECONDS)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def working_in(folder: Path) -> list[str]:
    """Command lines of the processes whose working directory is a folder."""
    commands = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process.joinpath("cwd").readlink() == folder:
                commands.append(process.joinpath("cmdline").read_text().replace("\0", " "))
        except OSError:  # it has just ended, or is not ours
            continue
    return commands


def windows(folder: Path) -> int:
    with open_published(folder / "data") as connection:
        ((count,),) = ask(connection, "select count(*) from core.window").rows
        return int(count)


def test_demo_publishes_ends_with_all_its_children_and_continues(tmp_path):
    for name in ("dagster.yaml", "workspace.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    port = free_port()

    with running(tmp_path, port) as first:
        first.wait_for("First numbers of the pretend cluster are published after")
        published = windows(tmp_path)
        assert published > 96 * 5
        assert f"http://127.0.0.1:{port}/" in "".join(first.lines)
        assert len(working_in(tmp_path)) > 2
        first.wait_for("All days are filled")
        assert first.interrupt() == 0
    assert first.lines[-1] == "Ended. `make demo` continues where it was."
    assert working_in(tmp_path) == []

    with running(tmp_path, port) as second:
        second.wait_for("First numbers of the pretend cluster are published after")
        assert windows(tmp_path) > published
        assert second.interrupt() == 0
    assert working_in(tmp_path) == []


def test_a_second_demo_over_the_same_data_is_refused(tmp_path):
    data_dir = tmp_path / "data"
    with (
        demo._only_demo(data_dir, 39000),
        pytest.raises(
            FinopsError, match=r"already: process \d+ \(http://127.0.0.1:39000/.*\) keeps demo"
        ),
    ):
        demo.run_demo(data_dir, days=2, ui_port=39001)

    with demo._only_demo(data_dir, 39001):  # it was let go
        assert [path.name for path in data_dir.iterdir()] == ["demo.lock"]


def test_a_taken_port_is_said_before_anything_is_written(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        with pytest.raises(FinopsError, match=f"port {port} is taken: choose another"):
            demo.run_demo(tmp_path / "data", days=2, ui_port=port)

    assert [path.name for path in (tmp_path / "data").iterdir()] == ["demo.lock"]


@pytest.mark.parametrize("days", [1, 2, 13, 35, 400])
def test_newest_days_come_first_and_every_day_once(days):
    today = date(2026, 3, 1)

    chunks = demo.chunks(today, days)

    covered = [
        first + timedelta(days=number)
        for first, last in chunks
        for number in range((last - first).days + 1)
    ]
    assert chunks[0][1] == today
    assert sorted(covered) == [today - timedelta(days=number) for number in range(days, -1, -1)]
    assert chunks == sorted(chunks, reverse=True)
    assert len(chunks[0]) == 2
