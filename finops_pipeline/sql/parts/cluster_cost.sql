-- Cost of the cluster as a whole in a window, which no allocation carries: of Kubecost alone.
--
-- Adjustments to the bill are in the source's total.

select
    cluster,
    window_start,
    asset_kind as cost_kind,
    '__' || asset_kind || '__' as namespace,
    'Cluster' as workload_kind,
    coalesce(name, '__' || asset_kind || '__') as workload,
    'shared' as team,
    if(asset_kind = 'network', cast(coalesce(source_total_cost, 0) as decimal(28, 10)), 0) as network_cost,
    if(asset_kind = 'network', 0, cast(coalesce(source_total_cost, 0) as decimal(28, 10))) as shared_cost
from raw.asset
where asset_kind not in ('node', 'disk', 'load_balancer');
