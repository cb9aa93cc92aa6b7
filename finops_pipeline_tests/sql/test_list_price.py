"""Tests of the prices of the settings for what belongs to no node pool."""


def test_a_price_of_a_pool_is_none_of_the_cluster(data):
    whole = {"cluster": "prod", "node_pool": "", "storage_gib_hour_price": 0.0001}
    pool = {"cluster": "prod", "node_pool": "gpu", "storage_gib_hour_price": 0.0002}
    data.given("core.price_list", whole, pool)

    (prices,) = data.part("list_price")

    assert (prices["cluster"], prices["storage_gib_hour_price"]) == ("prod", 0.0001)
