-- A day on which windows, hours and the day itself do not add up to the same cost, to the last decimal.

with line as (
    select
        cluster,
        cast(window_start as date) as day,
        sum(cpu_cost + memory_cost + gpu_cost + storage_cost + network_cost + load_balancer_cost + shared_cost) as cost
    from costs.line
    where window_start >= $start and window_start < $end
    group by all
),
hourly as (
    select cluster, cast(hour as date) as day, sum(total_cost) as hourly_cost
    from costs.hourly
    where hour >= $start and hour < $end
    group by all
),
daily as (
    select cluster, day, sum(total_cost) as daily_cost
    from costs.daily
    where day >= $start and day < $end
    group by all
)
select cluster, day, cost, hourly_cost, daily_cost
from line
full join hourly using (cluster, day)
full join daily using (cluster, day)
where cost is distinct from hourly_cost or cost is distinct from daily_cost;
