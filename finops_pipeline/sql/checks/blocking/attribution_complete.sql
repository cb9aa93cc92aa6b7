-- A day whose cost by owner is not, to the last decimal, what the cluster cost.

with attributed as (
    select cluster, sum(total_cost) as attributed_cost
    from costs.attributed_daily
    where day = $day
    group by all
),
daily as (
    select cluster, sum(total_cost) as total_cost
    from costs.daily
    where day = $day
    group by all
)
select cluster, cast($day as date) as day, attributed_cost, total_cost
from attributed
full join daily using (cluster)
where coalesce(attributed_cost, 0) is distinct from coalesce(total_cost, 0);
