-- A day whose cost by node or by volume is not, to the last decimal, what the cluster paid for them.

with rolled_up as (
    select 'costs.node_daily' as table_name, cluster, sum(total_cost) as rolled_up_cost
    from costs.node_daily
    where day = $day
    group by all
    union all
    select 'costs.volume_daily', cluster, sum(storage_cost)
    from costs.volume_daily
    where day = $day
    group by all
),
daily as (
    select
        unnest(['costs.node_daily', 'costs.volume_daily']) as table_name,
        cluster,
        unnest([sum(cpu_cost + memory_cost + gpu_cost), sum(storage_cost)]) as total_cost
    from costs.daily
    where day = $day
    group by cluster
)
select table_name, cluster, cast($day as date) as day, rolled_up_cost, total_cost
from daily
full join rolled_up using (table_name, cluster)
where coalesce(rolled_up_cost, 0) <> coalesce(total_cost, 0);
