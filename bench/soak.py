"""2,000 ticks, a quarter of an hour apart by a pretended clock: ``make soak``.

Reading, ledger, lake, compaction and sweeping are real; the source is a function. Neither Dagster
nor the tables run: what a tick of theirs leaves behind does not grow with their number.
"""

import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.figures import tell
from finops_pipeline.units import DAY, WINDOW, windows
from finops_pipeline_tests.installation.pretended import World, world

START = datetime(2026, 3, 1, tzinfo=UTC)
TICKS = 2_000
WARM_RATIO = 0.25  # of the ticks: after these nothing may grow
MOST_RATIO = 1.05
ROWS = 50
MOST_DISK_DEVIATION_RATIO = 0.05


@dataclass(frozen=True)
class Size:
    """What a process holds."""

    resident_bytes: int
    open_files: int


def main(ticks: int) -> None:
    """Print one line per figure."""
    with world(START + timedelta(minutes=5)) as system:
        warm, end = run(system, ticks)
        tell("soak_memory_growth_ratio", end.resident_bytes / warm.resident_bytes, MOST_RATIO)
        tell("soak_open_files_growth_count", end.open_files - warm.open_files, 0)
        tell("soak_gap_count", gaps(system, START, START + ticks * WINDOW), 0)
        tell("soak_disk_deviation_ratio", disk_deviation(system), MOST_DISK_DEVIATION_RATIO)


def run(system: World, ticks: int) -> tuple[Size, Size]:
    """Tick; the size of this process once it is warm, and at the end."""
    system.say = lambda window, at: [(window.hour + 1 + place) / 8 for place in range(ROWS)]
    warm = size()
    for number in range(1, ticks + 1):
        system.clock.now += WINDOW
        system.tick(START, system.clock() + WINDOW)
        if number == int(ticks * WARM_RATIO):
            warm = size()
    return warm, size()


def size() -> Size:
    """Of this process, now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Size(pages * os.sysconf("SC_PAGE_SIZE"), len(os.listdir("/proc/self/fd")))


def gaps(system: World, start: datetime, end: datetime) -> int:
    """Windows of a range that were not read."""
    known = system.windows(start, end)
    return sum(at not in known or not known[at].file for at in windows(start, end))


def disk_deviation(system: World) -> float:
    """How far the lake is from its expected size: a file for each finished day, none besides.

    A day is finished a day after its end; the files before it stay two days longer, so that the
    newest four days are left out on both sides.
    """
    young = system.clock() - 4 * DAY
    lake = system.installation.lake
    sizes: dict[str, list[int]] = {}
    for path in lake.paths():
        day = path.split("date=")[1][:10]
        if day < young.date().isoformat():
            sizes.setdefault(day, []).append(lake.absolute(path).stat().st_size)
    expected = [max(of_day) for of_day in sizes.values()]  # what else lies there is too much
    days = (young.date() - START.date()).days
    found = sum(map(sum, sizes.values()))
    return abs(found / (sum(expected) / len(expected) * days) - 1)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else TICKS)
