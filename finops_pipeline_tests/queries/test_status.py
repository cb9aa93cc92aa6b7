from datetime import UTC, datetime, timedelta

import pytest

from finops_pipeline.queries.published import ask, open_published
from finops_pipeline.queries.status import format_age, is_demo, published_status, source_status


@pytest.fixture(scope="module")
def connection(published_demo):
    with open_published(published_demo / "data") as opened:
        yield opened


def test_status_tells_how_far_each_source_is_read(connection):
    sources = source_status(connection).dicts()

    kubernetes, opencost, prometheus = sources
    assert [row["source"] for row in sources] == ["kubernetes", "opencost", "prometheus"]
    assert kubernetes["windows_read"] > 0
    assert opencost["windows_read"] == prometheus["windows_read"] + opencost["windows_unverified"]
    assert opencost["windows_unverified"] > 0
    assert prometheus["last_failure"].startswith("cluster demo: POST http://127.0.0.1")


def test_status_tells_whose_costs_were_published_and_when(connection):
    status = published_status(connection)

    assert (status.is_demo, is_demo(connection), status.currency) == (True, True, "USD")
    ((published_at,),) = ask(connection, "select published_at from core.installation").rows
    assert status.published_at == published_at


@pytest.mark.parametrize(
    ("passed", "text"),
    [
        (timedelta(seconds=59), "0 min ago"),
        (timedelta(minutes=119), "119 min ago"),
        (timedelta(hours=2), "2 h ago"),
        (timedelta(hours=48), "2 days ago"),
    ],
)
def test_age_is_told_in_one_unit(passed, text):
    now = datetime(2026, 3, 1, tzinfo=UTC)

    assert format_age(now - passed, now) == text
