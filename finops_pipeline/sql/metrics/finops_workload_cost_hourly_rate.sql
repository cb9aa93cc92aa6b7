-- Hourly cost of each workload in the newest window, in the installation's currency; small ones as _other.

with newest as (
    select * from costs.quarter_hourly
    qualify window_start = max(window_start) over (partition by cluster)
),
workload_rate as (
    select cluster, namespace, workload_kind, workload, sum(total_cost) * 4 as rate
    from newest
    where cost_kind = 'workload'
    group by all
),
ranked as (
    select *, row_number() over largest_first <= $top_workloads as is_top
    from workload_rate
    window largest_first as (partition by cluster order by rate desc, namespace, workload_kind, workload)
)
select
    cluster,
    if(is_top, namespace, '_other') as namespace,
    if(is_top, workload_kind, '_other') as workload_kind,
    if(is_top, workload, '_other') as workload,
    sum(rate) as value
from ranked
group by all;
