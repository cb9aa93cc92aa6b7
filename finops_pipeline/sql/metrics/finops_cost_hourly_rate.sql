-- Hourly cost in the newest window, in the installation's currency.

with newest as (
    select * from costs.quarter_hourly
    qualify window_start = max(window_start) over (partition by cluster)
),
part as (
    unpivot newest
    on
        cpu_cost as cpu,
        memory_cost as memory,
        gpu_cost as gpu,
        storage_cost as storage,
        network_cost as network,
        load_balancer_cost as loadbalancer,
        shared_cost as shared
    into name resource value cost
)
select
    cluster,
    namespace,
    team,
    environment,
    if(cost_kind = 'idle', 'idle', resource) as resource,
    sum(cost) * 4 as value
from part
group by all
having sum(cost) <> 0;
