-- Run rate of the newest window by workload, in the installation's currency per hour; the small ones together as _other.

with newest as (
    select cluster, namespace, workload_kind, workload, sum(total_cost) * 4 as rate
    from costs.quarter_hourly
    where cost_kind = 'workload'
        and (cluster, window_start) in (select (cluster, max(window_start)) from costs.quarter_hourly group by cluster)
    group by all
),
ranked as (
    select *, row_number() over (partition by cluster order by rate desc, namespace, workload) <= $top_workloads as is_top
    from newest
)
select
    cluster,
    if(is_top, namespace, '_other') as namespace,
    if(is_top, workload_kind, '_other') as workload_kind,
    if(is_top, workload, '_other') as workload,
    sum(rate) as value
from ranked
group by all;
