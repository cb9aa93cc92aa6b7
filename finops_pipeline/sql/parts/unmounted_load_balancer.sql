-- Cost of each load balancer in a window that no allocation uses.

select
    cluster,
    window_start,
    'unmounted' as cost_kind,
    split_part(name, '/', 1) as namespace,
    'Service' as workload_kind,
    split_part(name, '/', 2) as workload,
    'unmounted' as team,
    cost as load_balancer_cost
from part.load_balancer
anti join part.load_balancer_weight using (cluster, window_start, name);
