"""Backups, lost ledgers and months, from the command line."""

from finops_pipeline.installation.context import open_installation
from finops_pipeline_tests.cli.commands import CLUSTER, finops, output, refusal, usage_error


def test_a_backup_becomes_the_installation_again(folder):
    (folder / "finops.toml").write_text(CLUSTER.format(name="prod"))
    with open_installation():
        pass

    assert output(finops("backup", "there")) == (
        "there holds the ledger and 0 files of 0.0 MiB\n0 copied now, all verified\n"
    )
    assert refusal(finops("restore", "there")).startswith("data/state.db exists: a backup is put")
    (folder / "data" / "state.db").unlink()
    assert output(finops("restore", "there")) == (
        "data holds the ledger and 0 files of 0.0 MiB\n"
        "run finops tick to compute and publish the tables\n"
    )


def test_a_lost_ledger_is_made_anew(folder):
    (folder / "finops.toml").write_text(CLUSTER.format(name="prod"))
    path = "raw.asset/window/cluster=prod/date=2026-03-01/1000-0.parquet"
    damaged = folder / "data" / "lake" / path
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"PAR1")

    assert output(finops("rebuild-ledger")).splitlines() == [
        "the ledger knows 0 files; restatements and failures of old are gone",
        f"damaged, moved to data/quarantine: {path}",
    ]
    assert not damaged.exists()


def test_a_month_that_has_not_begun_is_not_closed(demo):
    assert "has not begun" in usage_error(finops("close", "9999-12"))
