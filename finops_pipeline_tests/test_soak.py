"""Many ticks: nothing grows but the data; ``make soak`` runs 2,000 of them."""

from datetime import timedelta

from bench import soak
from finops_pipeline.units import WINDOW
from finops_pipeline_tests.installation.pretended import world

TICKS = 600


def test_open_files_and_the_lake_do_not_grow_beyond_the_data():
    with world(soak.START + timedelta(minutes=5)) as it:
        warm, end = soak.run(it, TICKS)

        assert end.open_files == warm.open_files
        assert soak.gaps(it, soak.START, soak.START + TICKS * WINDOW) == 0
        assert soak.disk_deviation(it) <= soak.MOST_DISK_DEVIATION_RATIO
