"""Recorded OpenCost answers as readings."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from finops_pipeline.sources import opencost
from finops_pipeline.sources.reading import Reading
from finops_pipeline.units import WINDOW, rfc3339
from finops_pipeline_tests.servers import ANSWERS, Question, Recorded, question, recorded

OPENCOST = ANSWERS / "opencost"
DAY = datetime(2026, 11, 23, tzinfo=UTC)
FAULTY_WINDOW = DAY + timedelta(hours=21, minutes=30)  # of failing_queries and prometheus_down
CLUSTER = "prod"


def client(respond: Callable[[httpx.Request], httpx.Response]) -> httpx.Client:
    return httpx.Client(base_url="http://opencost", transport=httpx.MockTransport(respond))


def replaying(answers: Mapping[Question, Recorded]) -> httpx.Client:
    """Return a client whose OpenCost gives recorded answers."""

    def respond(request: httpx.Request) -> httpx.Response:
        answer = answers[question(str(request.url))]
        return httpx.Response(answer.status, content=answer.body)

    return client(respond)


def reading(folder: str, start: datetime, prefix: str = "") -> Reading:
    """Read a window of a recorded OpenCost."""
    with replaying(recorded(OPENCOST / folder, prefix)) as opencost_client:
        return opencost.read_window(opencost_client, CLUSTER, start, start + 2 * WINDOW)


def document(path: str, start: datetime = DAY) -> dict[str, Any]:
    """Read a recorded answer of the day to ``/allocation`` or ``/assets``, for a test to change."""
    window = f"{rfc3339(start)},{rfc3339(start + WINDOW)}"
    idle = "&includeIdle=true" if path == "/allocation" else ""
    answer = recorded(OPENCOST / "day")[question(f"{path}?window={window}{idle}")]
    parsed: dict[str, Any] = json.loads(answer.body)
    return parsed
