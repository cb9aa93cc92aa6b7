"""The cloud's bill: charges find their cluster, and our costs with one adjustment close to it."""

from decimal import Decimal

import pytest

OCTOBER = "2026-10-01 00:00:00+00"


def charge(account, cost, tags=None, month=OCTOBER, **more):
    return {
        "window_start": month,
        "sub_account_id": account,
        "billed_cost": cost,
        "effective_cost": cost,
        "tags": tags,
        **more,
    }


def account(cluster, account, tags="{}"):
    return {"cluster": cluster, "sub_account_id": account, "tags": tags}


def billed(data):
    return {row["cluster"]: row["billed_cost"] for row in data.fill("costs.billed_monthly")}


def test_charges_of_an_account_are_its_clusters(data):
    data.given("core.bill_account", account("a", "1"), account("a", "2"), account("b", "3"))
    data.given("raw.bill", charge("1", "1.5"), charge("2", "2"), charge("3", "4"), charge("9", "8"))

    assert billed(data) == {"a": Decimal("3.5"), "b": 4, "(no cluster)": 8}


def test_a_charge_without_account_is_nobodys(data):
    data.given("core.bill_account", account("a", "1"))
    data.given("raw.bill", charge(None, "1"), charge("", "2"))

    assert billed(data) == {"(no cluster)": 3}


def test_an_account_that_is_named_twice_counts_once(data):
    data.given("core.bill_account", account("a", "1"), account("a", "1"))
    data.given("raw.bill", charge("1", "1"))

    assert billed(data) == {"a": 1}


@pytest.mark.parametrize(
    ("tags", "cluster"),
    [
        ('{"aws:eks/cluster.name": "a", "team": "x"}', "a"),
        ('{"aws:eks/cluster.name": "b"}', "b"),
        ('{"aws:eks/cluster.name": "ab"}', "(no cluster)"),
        ('{"team": "a"}', "(no cluster)"),
        ("{}", "(no cluster)"),
        (None, "(no cluster)"),
        ("{aws:eks/cluster.name=a}", "(no cluster)"),
        ('["a"]', "(no cluster)"),
    ],
)
def test_clusters_that_share_an_account_are_told_apart_by_tags(data, tags, cluster):
    wanted = '{{"aws:eks/cluster.name": "{}"}}'
    for name in ("a", "b"):
        data.given("core.bill_account", account(name, "1", wanted.format(name)))
    data.given("raw.bill", charge("1", "1", tags))

    assert billed(data) == {cluster: 1}


def test_all_tags_must_be_there(data):
    wanted = '{"cluster": "a", "stage": "prod"}'
    data.given("core.bill_account", account("a", "1", wanted))
    data.given("raw.bill", charge("1", "1", wanted), charge("1", "2", '{"cluster": "a"}'))

    assert billed(data) == {"a": 1, "(no cluster)": 2}


def day(number, cost, cluster="a"):
    costs = {"total_cost": cost, "cpu_cost": cost, "window_count": 96}
    return {"day": f"2026-10-{number:02}", "cluster": cluster, **costs}


def compared(data):
    data.fill("core.calendar", "costs.attributed_daily", "costs.billed_monthly")
    return data.fill("costs.bill_monthly")


def test_ours_and_the_adjustment_are_the_bill_to_the_last_decimal(data):
    data.given("core.bill_account", account("a", "1"), account("b", "2"))
    data.given("raw.bill", charge("1", "10.0000000001"), charge("2", "3"), charge("9", "-0.5"))
    data.given("costs.daily", day(1, "4.0000000003"), day(2, "8"), day(1, "3", "b"))

    unclaimed, a, b = compared(data)

    assert a["our_cost"] == Decimal("12.0000000003")
    assert a["adjustment_cost"] == Decimal("-2.0000000002")
    assert a["difference_ratio"] == pytest.approx(-0.2)
    assert (b["adjustment_cost"], b["difference_ratio"]) == (0, 0)
    assert (unclaimed["cluster"], unclaimed["our_cost"]) == ("(no cluster)", 0)
    rows = (unclaimed, a, b)
    assert sum(row["our_cost"] + row["adjustment_cost"] for row in rows) == Decimal("12.5000000001")


def test_a_cluster_that_the_bill_does_not_know_stands_beside_it(data):
    data.given("core.bill_account", account("a", "1"))
    data.given("raw.bill", charge("9", "1"))
    data.given("costs.daily", day(1, "4"), day(1, "9", "not in the settings"))

    _, a = compared(data)

    assert (a["billed_cost"], a["adjustment_cost"], a["difference_ratio"]) == (0, -4, None)


def test_months_of_which_no_bill_is_there_are_not_compared(data):
    data.given("core.bill_account", account("a", "1"))
    data.given("costs.daily", day(1, "4"))

    assert compared(data) == []


@pytest.mark.parametrize(
    ("days", "next_month", "is_complete"),
    [(range(1, 32), True, True), (range(1, 32), False, False), (range(2, 32), True, False)],
)
def test_a_month_is_complete_when_it_is_over_and_each_day_is_there(
    data, days, next_month, is_complete
):
    data.given("core.bill_account", account("a", "1"))
    data.given("raw.bill", charge("1", "1"))
    data.given("costs.daily", *[day(number, "1") for number in days])
    if next_month:
        data.given("costs.daily", {**day(1, "1", "b"), "day": "2026-11-01"})

    (row,) = compared(data)

    assert (row["is_complete"], row["day_count"]) == (is_complete, len(days))


def test_a_file_that_was_refused_is_shown(data):
    data.given("core.bill_file", {"path": "a.csv"}, {"path": "b.csv", "failure": "is in EUR"})

    (row,) = data.check("bill_files_read")
    assert (row["path"], row["failure"]) == ("b.csv", "is in EUR")
