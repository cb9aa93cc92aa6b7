-- Cost of each load balancer in a window; its name is namespace/service.
--
-- The cost in /assets is a resolution step too high, so hours x price comes first here, too.

select
    cluster,
    window_start,
    name,
    minutes / 60 * list_price.load_balancer_hour_price as list_cost,
    cast(coalesce(
        if(is_preferred, list_cost, null),
        minutes / 60 * measured.load_balancer_hour_price + coalesce(adjustment_cost, 0),
        source_total_cost,
        list_cost,
        0
    ) as decimal(28, 10)) as cost
from raw.asset
left join (from raw.price where price_kind = 'load_balancer') as measured
    using (cluster, window_start, name)
left join part.list_price using (cluster)
where asset_kind = 'load_balancer';
