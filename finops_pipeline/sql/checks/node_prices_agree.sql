-- A node that costs more or less than 5 % of its price in Prometheus, by the hours it was there.
--
-- sources/plausibility.py compares their mean: one wrong node of many vanishes in that. Adjustments to the
-- bill are left out.

select
    cluster,
    window_start,
    name as node,
    (source_total_cost - coalesce(adjustment_cost, 0)) / minutes * 60 as asset_hour_price,
    node_hour_price
from raw.asset
join (from raw.price where price_kind = 'node') as price using (cluster, window_start, name)
where asset_kind = 'node' and window_start >= $start and window_start < $end
    and abs(asset_hour_price - node_hour_price) > 0.05 * node_hour_price + 0.0001;
