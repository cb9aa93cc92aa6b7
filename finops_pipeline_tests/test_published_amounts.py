from finops_pipeline_tests import published_amounts

CURE = "if they changed on purpose: python -m finops_pipeline_tests.write_expected"


def test_a_demo_publishes_the_amounts_that_are_written_down(tmp_path):
    expected = published_amounts.FILE.read_text().splitlines()

    assert published_amounts.lines_of_demo(tmp_path) == expected, CURE
