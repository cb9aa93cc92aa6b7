"""Kills 200 ticks at random moments and counts what is wrong afterwards: ``make crash``."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.figures import print_figure
from finops_pipeline.simulation import server
from finops_pipeline.units import HOUR, WINDOW
from finops_pipeline_tests.installation.crashes import Ticks, home, killed_ticks

START = datetime(2026, 3, 4, 10, tzinfo=UTC)
FIRST_TICK = START + HOUR + timedelta(minutes=5)
KILLS = 200
COMPARED_EACH = 25  # kills, and at the end
MOST_START_SECONDS = 5


def main(kills: int) -> None:
    """Print one line per figure."""
    end = FIRST_TICK + (3 * kills + 9) * WINDOW  # some ticks are faster than their kill
    with (
        TemporaryDirectory() as folder,
        server.serve(anchor=START.date(), clock=lambda: end) as cluster,
        Ticks() as ticks,
    ):
        killed = home(Path(folder) / "killed", cluster.port, START)
        undisturbed = home(Path(folder) / "undisturbed", cluster.port, START)
        outcomes, stale = [], 0
        for number, outcome in enumerate(killed_ticks(killed, ticks, FIRST_TICK, kills), 1):
            outcomes.append(outcome)
            if number % COMPARED_EACH == 0 or number == kills:
                for installation in (killed, undisturbed):
                    installation.tick(outcome.now)
                stale += killed.costs() != undisturbed.costs()
    for name in ("lost", "torn", "doubled"):
        count = sum(getattr(outcome.damage, name) for outcome in outcomes)
        print_figure(f"crash_windows_{name}_count", count, 0)
    print_figure("crash_stale_count", stale, 0)
    print_figure(
        "crash_next_start_seconds", max(o.start_seconds for o in outcomes), MOST_START_SECONDS
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else KILLS)
