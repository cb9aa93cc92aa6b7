-- A day whose cost is not, to the last decimal, the sum of the hours in it.

with hours_of_day as (
    select cluster, sum(total_cost) as parts_cost
    from costs.hourly
    where cast(hour as date) = $day
    group by all
),
daily as (
    select cluster, sum(total_cost) as rolled_up_cost
    from costs.daily
    where day = $day
    group by all
)
select cluster, cast($day as date) as day, parts_cost, rolled_up_cost
from hours_of_day
full join daily using (cluster)
where parts_cost is distinct from rolled_up_cost;
