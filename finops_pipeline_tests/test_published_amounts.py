from datetime import UTC, datetime, timedelta
from pathlib import Path

from finops_pipeline_tests import demo_data, published_amounts

AMOUNTS = Path(__file__).parent / "published_amounts.txt"
CURE = "if they changed on purpose: python -m finops_pipeline_tests.write_expected"
END = datetime(2026, 11, 24, 2, 5, tzinfo=UTC)
SPAN = timedelta(hours=4)  # over a midnight


def test_a_demo_publishes_the_amounts_that_are_written_down(tmp_path):
    assert published(tmp_path) == AMOUNTS.read_text().splitlines(), CURE


def published(folder: Path) -> list[str]:
    """Publish a demo in a folder; return its amounts."""
    return published_amounts.lines(demo_data.publish(folder, END, SPAN) / "data")
