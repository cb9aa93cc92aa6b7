-- Idle cost of each node in a window: what it costs beyond the allocations on it.
--
-- A row without a node takes off what allocations without a node cost, once for the cluster: that is in the
-- idle rest of some node.

-- A node replaced under its name is two assets.
with node as (
    select
        cluster,
        window_start,
        name,
        sum(cpu_core_hours) as cpu_core_hours,
        sum(memory_byte_hours) as memory_byte_hours,
        sum(gpu_hours) as gpu_hours
    from raw.asset
    where asset_kind = 'node'
    group by all
),
on_node as (
    select
        cluster,
        window_start,
        node,
        sum(cpu_cost) as cpu_cost,
        sum(memory_cost) as memory_cost,
        sum(gpu_cost) as gpu_cost,
        sum(cpu_core_hours) as cpu_core_hours,
        sum(memory_byte_hours) as memory_byte_hours,
        sum(gpu_hours) as gpu_hours
    from part.priced_allocation
    where node is not null
    group by all
),
without_node as (
    select
        cluster,
        window_start,
        sum(cpu_cost) as cpu_cost,
        sum(memory_cost) as memory_cost,
        sum(gpu_cost) as gpu_cost
    from part.priced_allocation
    semi join node using (cluster, window_start)
    where node is null
    group by all
    having (sum(cpu_cost), sum(memory_cost), sum(gpu_cost)) <> (0, 0, 0)
)
select
    node.cluster,
    node.window_start,
    'idle' as cost_kind,
    node.name as node,
    '__idle__' as namespace,
    'Node' as workload_kind,
    '__idle__' as workload,
    'idle' as team,
    -- Without a price, a node costs what its containers do.
    coalesce(cast(node.cpu_core_hours * cpu_core_hour_price as decimal(28, 10)), on_node.cpu_cost, 0)
        - coalesce(on_node.cpu_cost, 0) as cpu_cost,
    coalesce(
        cast(node.memory_byte_hours / 1024 ** 3 * memory_gib_hour_price as decimal(28, 10)),
        on_node.memory_cost,
        0
    ) - coalesce(on_node.memory_cost, 0) as memory_cost,
    coalesce(cast(node.gpu_hours * gpu_hour_price as decimal(28, 10)), on_node.gpu_cost, 0)
        - coalesce(on_node.gpu_cost, 0) as gpu_cost,
    node.cpu_core_hours - coalesce(on_node.cpu_core_hours, 0) as cpu_billed_core_hours,
    node.memory_byte_hours - coalesce(on_node.memory_byte_hours, 0) as memory_billed_byte_hours,
    node.gpu_hours - coalesce(on_node.gpu_hours, 0) as gpu_billed_hours
from node
join core.price
    on price.cluster = node.cluster and price.window_start = node.window_start and price.node = node.name
left join on_node
    on on_node.cluster = node.cluster
    and on_node.window_start = node.window_start
    and on_node.node = node.name
union all by name
select
    cluster,
    window_start,
    'idle' as cost_kind,
    '__idle__' as namespace,
    'Node' as workload_kind,
    '__idle__' as workload,
    'idle' as team,
    -cpu_cost as cpu_cost,
    -memory_cost as memory_cost,
    -gpu_cost as gpu_cost
from without_node;
