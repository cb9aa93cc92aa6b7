-- A day whose cost by container or by a label is not, to the last decimal, what the cluster cost.

with rolled_up as (
    select 'costs.container_daily' as table_name, cluster, null as label, sum(total_cost) as rolled_up_cost
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
)
select table_name, cluster, cast($day as date) as day, label, rolled_up_cost, total_cost
from rolled_up
left join daily using (cluster)
where rolled_up_cost is distinct from total_cost;
