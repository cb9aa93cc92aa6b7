-- A cluster's hour whose cost differs from OpenCost's own figures by more than 0.5 % and their rounding.
--
-- Where the settings' own prices or discounts count it is left out, and so are load balancers:
-- OpenCost counts them a resolution step too high. So is what the cluster as a whole costs: only
-- Kubecost's assets know of it.

with own_price as (
    select distinct cluster, date_trunc('hour', window_start) as hour
    from core.price
    where window_start >= $start and window_start < $end and has_own_price
),
ours as (
    select cluster, hour, sum(total_cost - load_balancer_cost) as our_cost
    from costs.hourly
    where hour >= $start and hour < $end
        and cost_kind in ('workload', 'idle', 'unmounted', 'shared', 'external', 'unallocated')
    group by all
),
theirs as (
    select
        cluster,
        date_trunc('hour', window_start) as hour,
        sum(source_total_cost - coalesce(source_load_balancer_cost, 0)) as source_cost,
        -- Each of a row's parts is rounded to 5 decimals; half a last digit for CPU, memory and storage.
        count(*) * 3 * 0.000005 as rounding_cost
    from raw.allocation
    where window_start >= $start and window_start < $end
    group by all
)
select cluster, hour, our_cost, source_cost, our_cost / nullif(source_cost, 0) - 1 as difference_ratio
from ours
full join theirs using (cluster, hour)
anti join own_price using (cluster, hour)
anti join (from core.price_list where is_preferred and storage_gib_hour_price is not null) using (cluster)
where coalesce(abs(our_cost - source_cost) > 0.005 * abs(source_cost) + rounding_cost, true);
