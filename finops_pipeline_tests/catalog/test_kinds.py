"""The line of a table file that says how its rows are made and kept."""

import pytest

from finops_pipeline.catalog.kinds import Kind, parse_kind
from finops_pipeline.catalog.tables import tables
from finops_pipeline.settings.sections import Retention


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("full", Kind("full")),
        ("lake by window", Kind("lake", "window")),
        ("lake by month, kept for good", Kind("lake", "month", is_kept_for_good=True)),
        ("view, cached by hour", Kind("view", is_cached=True)),
        (
            "incremental by hour, archived after some_days, forgotten after more_days",
            Kind("incremental", "hour", archived_after="some_days", forgotten_after="more_days"),
        ),
        (
            "incremental by day, compared by rows",
            Kind("incremental", "day", is_compared_by_rows=True),
        ),
    ],
)
def test_a_kind_has_a_slot_and_options(text, kind):
    assert parse_kind(text) == kind


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "kind '' is none of lake by window"),
        ("table", "kind 'table' is none of"),
        ("incremental", "kind 'incremental' is none of"),
        ("incremental by month", "kind 'incremental by month' is none of"),
        ("full by day", "kind 'full by day' is none of"),
        ("view, archived after some_days", "kind view has no option 'archived after some_days'"),
        ("full, cached by hour", "kind full has no option 'cached by hour'"),
        ("lake by day, cached by day", "kind lake by day has no option 'cached by day'"),
        ("incremental by day, archived after some_days", "kind incremental by day has no option"),
        ("incremental by hour, compared by rows", "kind incremental by hour has no option"),
        ("view,", "kind view has no option ''"),
    ],
)
def test_what_is_no_kind_is_refused_with_what_there_is(text, message):
    with pytest.raises(ValueError, match=message):
        parse_kind(text)


def test_settings_that_kinds_name_are_days_of_retention():
    kinds = [table.kind for table in tables().values()]
    named = {kind.archived_after for kind in kinds} | {kind.forgotten_after for kind in kinds}

    assert named - {None} <= Retention.model_fields.keys()
