-- A cluster's day whose total differs by more than 0.5 % from what OpenCost's own, rounded figures sum to.
--
-- Load balancers are left out: OpenCost counts them a resolution step too high.

with ours as (
    select
        cluster,
        cast(window_start as date) as day,
        sum(cpu_cost + memory_cost + gpu_cost + storage_cost + network_cost + shared_cost) as our_cost
    from costs.line
    where window_start >= $start and window_start < $end
    group by all
),
theirs as (
    select
        cluster,
        cast(window_start as date) as day,
        sum(source_total_cost - coalesce(source_load_balancer_cost, 0)) as source_cost
    from raw.allocation
    where window_start >= $start and window_start < $end
    group by all
)
select *, our_cost / nullif(source_cost, 0) - 1 as difference_ratio
from ours
full join theirs using (cluster, day)
where abs(our_cost - source_cost) > 0.005 * source_cost or our_cost is null or source_cost is null;
