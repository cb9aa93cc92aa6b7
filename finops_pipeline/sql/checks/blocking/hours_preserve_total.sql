-- An hour whose cost is not, to the last decimal, the sum of the windows in it.

with windows_of_hour as (
    select
        cluster,
        date_trunc('hour', window_start) as hour,
        sum(
            cpu_cost + memory_cost + gpu_cost + storage_cost + network_cost + load_balancer_cost + shared_cost
        ) as parts_cost
    from costs.line_item
    where window_start >= $start and window_start < $end
    group by all
),
hourly as (
    select cluster, hour, sum(total_cost) as rolled_up_cost
    from costs.hourly
    where hour >= $start and hour < $end
    group by all
)
select cluster, hour, parts_cost, rolled_up_cost
from windows_of_hour
full join hourly using (cluster, hour)
where parts_cost is distinct from rolled_up_cost;
