"""The settings as config shows them, and mistakes that it names."""

import re

from finops_pipeline_tests.cli.commands import CLUSTER, finops, output, refusal


def test_config_show_masks_secrets(folder, monkeypatch):
    (folder / "finops.toml").write_text(CLUSTER.format(name="prod"))
    monkeypatch.setenv("FINOPS_CLUSTER_PROD_TOKEN", "very-secret")
    monkeypatch.setenv("FINOPS_STATE_URL", "postgresql+psycopg2://me:very-secret@db/finops")

    text = output(finops("config", "show"))

    assert "very-secret" not in text
    assert "clusters.0.opencost_url = http://prod:9003" in text
    assert re.search(r"^clusters.0.opencost_token = \*+", text, re.MULTILINE)


def test_config_validate_names_the_clusters(folder):
    (folder / "finops.toml").write_text(CLUSTER.format(name="a") + CLUSTER.format(name="b"))

    assert output(finops("config", "validate")) == "valid: clusters a, b; data in data\n"


def test_config_validate_warns_of_what_is_doubtful(folder):
    rule = '[[attribution.rules]]\nname = "shop"\nteam = "retial"\n[[teams]]\nname = "retail"\n'
    (folder / "finops.toml").write_text(rule + CLUSTER.format(name="a"))

    result = finops("config", "validate")

    assert result.exit_code == 0
    assert result.stdout == "valid: clusters a; data in data\n"
    assert result.stderr.startswith(
        "warning: attribution.rules.0: rule 'shop': no entry of [[teams]]"
    )


def test_config_validate_names_the_key_that_is_wrong(folder):
    (folder / "finops.toml").write_text("ingset = 1\n" + CLUSTER.format(name="a"))

    assert refusal(finops("config", "validate")) == (
        "finops.toml: ingset: there is no such setting"
    )
