"""Windows that are read, and read again, into a lake."""

from finops_pipeline.installation.recording import record
from finops_pipeline_tests.installation.readings import MUCH_LATER, quarters, reading


def read_quarters(lake, state, count, **of):
    for start in quarters(count):
        record(lake, state.ledger, [reading([0.1, 0.2], start, **of)])


def read_again_for_the_last_time(lake, state, count, **of):
    read_quarters(lake, state, count, at=MUCH_LATER, **of)
