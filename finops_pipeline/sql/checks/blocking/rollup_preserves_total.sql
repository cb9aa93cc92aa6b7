-- An hour or a day whose cost is not, to the last decimal, the sum of the windows or hours in it.

with windows_of_hour as (
    select
        cluster,
        date_trunc('hour', window_start) as starts_at,
        sum(
            cpu_cost + memory_cost + gpu_cost + storage_cost + network_cost + load_balancer_cost + shared_cost
        ) as parts_cost
    from costs.line
    where window_start >= $start and window_start < $end
    group by all
),
hourly as (
    select cluster, hour as starts_at, sum(total_cost) as rolled_up_cost
    from costs.hourly
    where hour >= $start and hour < $end
    group by all
),
hours_of_day as (
    select cluster, cast(hour as date) as day, sum(total_cost) as parts_cost
    from costs.hourly
    where hour >= date_trunc('day', $start) and hour < date_trunc('day', $end + interval 23 hours)
    group by all
),
daily as (
    select cluster, day, sum(total_cost) as rolled_up_cost
    from costs.daily
    where day >= date_trunc('day', $start) and day < $end
    group by all
)
select 'hour' as grain, cluster, starts_at, parts_cost, rolled_up_cost
from windows_of_hour
full join hourly using (cluster, starts_at)
where parts_cost is distinct from rolled_up_cost
union all by name
select 'day' as grain, cluster, cast(day as timestamptz) as starts_at, parts_cost, rolled_up_cost
from hours_of_day
full join daily using (cluster, day)
where parts_cost is distinct from rolled_up_cost;
