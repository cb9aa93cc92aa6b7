"""A full disk: a message that says so, nothing half-written, and the next tick goes on.

Where the machine lets us, a small file system is filled; elsewhere the lake says that it is full.
"""

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from finops_pipeline.errors import DiskFull
from finops_pipeline.installation.context import Installation
from finops_pipeline.lake.files import Lake
from finops_pipeline.operations.repair import repair_damage
from finops_pipeline_tests.installation.homes import Home
from finops_pipeline_tests.operations.damaged_homes import (
    TOTAL,
    copy_home,
    expected,
    filled_home,
    open_data,
    tick,
)

__all__ = ["expected", "filled_home"]

FREE_BYTES = [0, 2**16, 2**18, 2**20]  # room for nothing, ledger, lake, warehouse


class FullLake(Lake):
    """A lake without room."""

    def write(self, *_arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def small(filled_home, tmp_path) -> Iterator[Home]:
    """A copy whose data lie on a small disk of their own, where that may be mounted."""
    data = tmp_path / "data"
    data.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(data)]
    with ExitStack() as mounted:
        if subprocess.run(mount, capture_output=True).returncode == 0:
            mounted.callback(subprocess.run, ["umount", "--lazy", str(data)], check=True)
        yield copy_home(filled_home, tmp_path)


def without_room(own_home: Home, installation: Installation, free_bytes: int) -> Installation:
    data = own_home.folder / "data"
    if not data.is_mount():
        return replace(installation, lake=FullLake(installation.lake.root))
    room = os.statvfs(data)
    size = max(room.f_bavail * room.f_frsize - free_bytes, 0)
    (data / "ballast").write_bytes(bytes(size))
    return installation


@pytest.mark.parametrize("free_bytes", FREE_BYTES)
def test_a_full_disk_is_said_and_the_next_tick_goes_on(small, expected, free_bytes):
    with open_data(small) as installation:
        full = without_room(small, installation, free_bytes)
        with pytest.raises(DiskFull, match="is full, .* are free: make room"), repair_damage(full):
            tick(full)

        left = {path.suffix for path in (small.folder / "data").rglob("*.tmp")}
        assert left == set()
        (small.folder / "data" / "ballast").unlink(missing_ok=True)
        tick(installation)

    assert small.ask(TOTAL) == expected
    assert not Path(installation.quarantine).exists()
