from datetime import UTC, datetime, timedelta
from pathlib import Path

from finops_pipeline_tests import demo_data, published_amounts

AMOUNTS = Path(__file__).parent / "published_amounts.txt"
END = datetime(2026, 11, 24, 2, 5, tzinfo=UTC)
SPAN = timedelta(hours=4)  # over a midnight


def test_a_demo_publishes_the_amounts_that_are_written_down(tmp_path):
    """When they changed on purpose, write the left side into the file and say why in the commit."""
    data_dir = demo_data.publish(tmp_path, END, SPAN) / "data"

    assert published_amounts.lines(data_dir) == AMOUNTS.read_text().splitlines()
