"""Status and doctor of installations in every condition."""

import json
import re
import shutil

from finops_pipeline.cli.printing import DEMO_MARK
from finops_pipeline_tests.cli.commands import CLUSTER, finops, output, refusal


def test_status_tells_what_is_read_what_failed_and_what_is_due(demo):
    text = output(finops("status"))

    assert text.startswith(f"{DEMO_MARK}\npublished ")
    assert re.search(r"min ago\), in USD\n", text)
    assert re.search(r"^demo +opencost +\d{4}-\d\d-\d\d \d\d:\d\d ", text, re.MULTILINE)
    assert re.search(r"^demo +prometheus .* status 503: refused", text, re.MULTILINE)
    assert re.search(r"^  demo opencost: \d+ missing", text, re.MULTILINE)
    assert re.search(r"^  demo prometheus: .*failed before: cluster demo", text, re.MULTILINE)


def test_status_works_on_what_a_demo_left_without_settings(published_demo, folder):
    shutil.copytree(published_demo / "data", "data")
    shutil.copy(published_demo / "finops.toml", "data/demo.toml")

    assert "\ndue now:\n  demo opencost: " in output(finops("status"))


def test_status_before_the_first_publication_says_what_is_due(folder):
    (folder / "finops.toml").write_text(CLUSTER.format(name="prod"))

    text = output(finops("status"))

    assert text.startswith("data/finops.duckdb does not exist yet: 'make demo' fills it")
    assert re.search(r"^  prod opencost: 13\d\d missing$", text, re.MULTILINE)


def test_doctor_names_what_failed_with_its_fix_and_exits_with_1(folder):
    (folder / "finops.toml").write_text(
        '[[clusters]]\nname = "prod"\nopencost_url = "http://127.0.0.1:9"\n'
        'prometheus_url = "http://127.0.0.1:9"\n'
    )

    table, document = finops("doctor"), finops("doctor", "--json")

    assert (table.exit_code, document.exit_code) == (1, 1)
    assert re.search(r"^failed +prod +opencost +.*no answer: ConnectError", table.stdout, re.M)
    assert "-> correct its address, token or certificates" in table.stdout
    findings = json.loads(document.stdout)
    assert findings[0].keys() == {"subject", "check", "status", "message", "fix"}
    assert {(row["check"], row["status"]) for row in findings} >= {
        ("opencost", "failed"),
        ("opencost_answer", "unknown"),
        ("prometheus", "failed"),
        ("data_folder", "ok"),
    }


def test_published_file_that_does_not_open_is_one_sentence(folder):
    (folder / "finops.toml").write_text(CLUSTER.format(name="prod"))
    (folder / "data").mkdir()
    (folder / "data" / "finops.duckdb").write_text("not a database")
    sentence = "cannot be opened as a DuckDB file; the next publication replaces it"

    assert refusal(finops("sql", "select 1")) == f"data/finops.duckdb {sentence}"
    assert output(finops("status")).startswith(f"data/finops.duckdb {sentence}\n\ndue now:")
