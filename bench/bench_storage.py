"""What a tick costs with kept connections to Dagster's files, over Dagster's own storage.

Two installations that differ in ``dagster.yaml`` alone take turns: a slow machine slows both. The
first tick of an hour reports every table to Dagster; the others only what was read.
"""

import re
import statistics
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.bench_tick import Cost, cluster, make_history, tick
from bench.figures import print_figure
from finops_pipeline.units import WINDOW, window_start

TICKS = 12  # three hours
DAYS = 2
STORAGE = re.compile(r"^storage:\n(?:  .*\n)+", re.MULTILINE)
DAGSTERS_OWN = "storage:\n  sqlite:\n    base_dir: .dagster/storage\n"
MOST_CPU_RATIO = 0.6
MOST_CPU_RATIO_OF_OTHERS = 0.75
MOST_WRITTEN_RATIO = 0.2


def main() -> None:
    """Print one line per figure."""
    now = window_start(datetime.now(UTC)) - (TICKS + 2) * WINDOW + timedelta(minutes=5)
    with TemporaryDirectory() as temporary, cluster() as url:
        ours, dagsters = Path(temporary) / "ours", Path(temporary) / "dagsters"
        for folder in (ours, dagsters):
            make_history(folder, url, DAYS, now)
        use_dagsters_own(dagsters / "dagster.yaml")
        for folder in (ours, dagsters):
            tick(folder, now + WINDOW)  # makes Dagster's own tables and the list of imports, once
        pairs: dict[bool, list[tuple[Cost, Cost]]] = {True: [], False: []}
        for number in range(2, TICKS + 2):
            at = now + number * WINDOW
            is_first_of_hour = at.minute < WINDOW.total_seconds() / 60
            pairs[is_first_of_hour].append((tick(ours, at), tick(dagsters, at)))
    print_ratios("first_of_hour", pairs[True], MOST_CPU_RATIO)
    print_ratios("other", pairs[False], MOST_CPU_RATIO_OF_OTHERS)


def use_dagsters_own(file: Path) -> None:
    """Name Dagster's own storage in a ``dagster.yaml``."""
    own, count = STORAGE.subn(DAGSTERS_OWN, file.read_text())
    assert count == 1, file
    file.write_text(own)


def print_ratios(name: str, pairs: list[tuple[Cost, Cost]], most_cpu_ratio: float) -> None:
    """Print the median ratios of pairs of ticks: ours over Dagster's."""
    cpu = [ours.cpu_seconds / dagsters.cpu_seconds for ours, dagsters in pairs]
    written = [ours.written_mib / dagsters.written_mib for ours, dagsters in pairs]
    print_figure(f"storage_{name}_cpu_ratio", statistics.median(cpu), most_cpu_ratio)
    print_figure(f"storage_{name}_written_ratio", statistics.median(written), MOST_WRITTEN_RATIO)
    for kind, costs in zip(("ours", "dagsters"), zip(*pairs, strict=True), strict=True):
        seconds = statistics.median(cost.cpu_seconds for cost in costs)
        mib = statistics.median(cost.written_mib for cost in costs)
        print(f"{name} {kind}: {seconds:.2f} CPU-s, {mib:.0f} MiB written")


if __name__ == "__main__":
    main()
