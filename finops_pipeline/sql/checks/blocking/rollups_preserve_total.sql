-- A day whose cost by container or by a label is not, to the last decimal, what the cluster cost.

with rolled_up as (
    select 'costs.container_daily' as table_name, cluster, '' as label, sum(total_cost) as rolled_up_cost
    from costs.container_daily
    where day = $day
    group by all
    union all
    select 'costs.label_daily', cluster, label, sum(total_cost)
    from costs.label_daily
    where day = $day
    group by all
),
daily as (
    select cluster, sum(total_cost) as total_cost
    from costs.daily
    where day = $day
    group by all
),
-- A cluster that a table lacks as a whole has no row above.
expected as (
    select 'costs.container_daily' as table_name, cluster, '' as label
    from daily
    -- Recent days only; of an empty table the newest day would be there.
    where $day >= coalesce(
        (select min(day) from costs.container_daily),
        (select max(day) from costs.daily)
    )
    union all
    select 'costs.label_daily', cluster, label
    from daily
    cross join core.cost_label
)
select
    table_name,
    cluster,
    cast($day as date) as day,
    nullif(label, '') as label,
    rolled_up_cost,
    total_cost
from rolled_up
full join expected using (table_name, cluster, label)
left join daily using (cluster)
where rolled_up_cost is distinct from total_cost;
