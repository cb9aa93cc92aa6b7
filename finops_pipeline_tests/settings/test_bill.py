"""Settings alone must say which cluster a charge of the cloud's bill belongs to."""

import json

import pytest

from finops_pipeline.errors import ConfigError
from finops_pipeline.settings import load, warnings

CLUSTER = {"opencost_url": "http://oc:9003", "prometheus_url": "http://prom"}


def clusters(*bills):
    """Variables for clusters a, b, ... with these settings of the bill."""
    entries = [
        {**CLUSTER, "name": name, "opencost_url": f"http://{name}", **bill}
        for name, bill in zip("abc", bills, strict=False)
    ]
    return {"FINOPS_CLUSTERS": json.dumps(entries)}


def test_there_is_no_bill_by_default():
    settings = load(environ=clusters({}))

    assert (settings.bill.folder, settings.clusters[0].bill_accounts) == ("", ())


@pytest.mark.parametrize(
    "bills",
    [
        ({"bill_accounts": ["1"]}, {"bill_accounts": ["2"]}),
        (
            {"bill_accounts": ["1"], "bill_tags": {"cluster": "a"}},
            {"bill_accounts": ["1"], "bill_tags": {"cluster": "b", "stage": "prod"}},
            {"bill_accounts": ["2", "1"], "bill_tags": {"cluster": "c"}},
        ),
    ],
)
def test_clusters_whose_charges_are_told_apart_are_taken(bills):
    environ = {**clusters(*bills), "FINOPS_BILL__FOLDER": "bill"}

    settings = load(environ=environ)

    assert settings.bill.folder == "bill"
    accounts = [{*cluster.bill_accounts} for cluster in settings.clusters]
    assert accounts == [{*bill["bill_accounts"]} for bill in bills]


@pytest.mark.parametrize(
    "bills",
    [
        ({"bill_accounts": ["1"]}, {"bill_accounts": ["2", "1"]}),
        ({"bill_accounts": ["1"], "bill_tags": {"cluster": "a"}}, {"bill_accounts": ["1"]}),
        (
            {"bill_accounts": ["1"], "bill_tags": {"cluster": "a"}},
            {"bill_accounts": ["1"], "bill_tags": {"cluster": "a"}},
        ),
        (
            {"bill_accounts": ["1"], "bill_tags": {"cluster": "a"}},
            {"bill_accounts": ["1"], "bill_tags": {"stage": "prod"}},
        ),
    ],
)
def test_a_charge_that_two_clusters_could_claim_is_refused(bills):
    with pytest.raises(ConfigError, match="a and b have the bill_account 1: tell their charges"):
        load(environ=clusters(*bills))


def test_a_folder_that_is_not_there_is_doubted_and_may_be_mounted_later(tmp_path):
    folder = tmp_path / "bill"
    settings = load(environ={**clusters({}), "FINOPS_BILL__FOLDER": str(folder)})

    missing = [
        f"bill.folder: there is no folder {folder}: mount it, or correct the path; until then no"
        " bill is read"
    ]
    assert warnings(settings) == missing
    folder.write_text("a file")
    assert warnings(settings) == missing
    folder.unlink()
    folder.mkdir()
    assert warnings(settings) == []


def test_tags_without_an_account_are_refused():
    with pytest.raises(ConfigError, match="bill_tags is of no use without bill_accounts"):
        load(environ=clusters({"bill_tags": {"cluster": "a"}}))


def test_an_account_is_text_that_is_not_empty():
    with pytest.raises(ConfigError, match=r"clusters\.0\.bill_accounts\.0"):
        load(environ=clusters({"bill_accounts": [""]}))
