"""Charts: their axes, gaps, and the picture that Markdown holds."""

import re
from base64 import b64decode

from finops_pipeline.reports.chart import Chart
from finops_pipeline_tests.reports.drawings import lines, texts


def test_a_chart_labels_its_axes_with_unit_and_ends():
    svg = Chart("USD", "first", "last <day>", {"total_cost": [500.0, 1250.0]}).svg()

    assert texts(svg) == ["1.25k", "0", "USD", "first", "last <day>", "total_cost"]
    assert lines(svg) == ["M62 74.8h0L412 22.0"]  # 110 - 500/1250 x 88


def test_what_is_unknown_is_a_gap_and_a_credit_lies_below_zero():
    svg = Chart("USD", "", "", {"a": [-1.0, None, 1.0], "b": [None, 0.0, None]}).svg()

    assert lines(svg) == ["M62 110.0h0M412 22.0h0", "M237 66.0h0"]
    assert texts(svg)[:2] == ["1", "-1"]


def test_a_chart_in_markdown_holds_itself():
    chart = Chart("rows", "a", "b", {"row_count": [1.0]})

    image = re.fullmatch(r"!\[row_count\]\(data:image/svg\+xml;base64,([^)]+)\)", chart.markdown())

    assert image
    assert b64decode(image[1]).decode() == chart.svg()
