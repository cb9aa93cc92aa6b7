-- Cost of each allocation in a window, hours x price: a container, or a row of the source for more than one.
--
-- Costs are cast to decimal here, once. The cost of load balancers, which allocations share, is not in it.
-- Ghosts and the source's own idle rows are left out.

-- A cost that is no number, or that no cluster has, is implausible: the source's own sum then counts.
with exact as (
    select
        *,
        try_cast(volumes -> '$.*.cost' as double[]) as volume_costs,
        list_sum(volume_costs) as volume_sum,
        if(list_count(volume_costs) = len(volume_costs) and abs(volume_sum) <= 1e12, volume_sum, null)
            as volume_cost
    from raw.allocation
),
-- A pod that moved to another node is two rows; Prometheus knows its usage once.
moved as (
    select cluster, window_start, namespace, pod, container, sum(minutes) as all_minutes
    from raw.allocation
    group by all
    having count(*) > 1
)
select
    cluster,
    window_start,
    allocation.allocation,
    node,
    namespace,
    workload_kind,
    workload,
    pod,
    container,
    labels,
    namespace_labels,
    namespace_annotations,
    minutes,
    cpu_core_hours,
    cpu_request_cores,
    memory_byte_hours,
    memory_request_bytes,
    gpu_hours,
    volumes,
    load_balancers,
    source_load_balancer_cost,
    load_balancer_adjustment_cost,
    coalesce(minutes / all_minutes, 1) as usage_share,
    -- Prices of nodes are adjusted to the bill; the source's own cost is not.
    cast(coalesce(
        cpu_core_hours * price.cpu_core_hour_price,
        coalesce(source_cpu_cost, 0) + coalesce(cpu_adjustment_cost, 0)
    ) as decimal(28, 10)) as cpu_cost,
    cast(coalesce(
        memory_byte_hours / 1024 ** 3 * price.memory_gib_hour_price,
        coalesce(source_memory_cost, 0) + coalesce(memory_adjustment_cost, 0)
    ) as decimal(28, 10)) as memory_cost,
    cast(coalesce(
        gpu_hours * price.gpu_hour_price,
        coalesce(source_gpu_cost, 0) + coalesce(gpu_adjustment_cost, 0)
    ) as decimal(28, 10)) as gpu_cost,
    -- The last part of a row's name says what is no container: __shared__, __unmounted__, ...
    case
        when ends_with(allocation.allocation, '__') then coalesce(nullif(regexp_extract(
            allocation.allocation, '(^|/)__(unmounted|shared|external|unallocated)__$', 2
        ), ''), 'workload')
        else 'workload'
    end as cost_kind,
    storage_byte_hours / 1024 ** 3 * storage_gib_hour_price as storage_list_cost,
    -- The bill adjusts the source's own price; that of the settings is whole.
    cast(coalesce(
        if(is_preferred, storage_list_cost, null),
        coalesce(volume_cost, source_storage_cost) + coalesce(storage_adjustment_cost, 0),
        storage_list_cost,
        storage_adjustment_cost,
        0
    ) as decimal(28, 10)) as storage_cost,
    cast(coalesce(source_network_cost, 0)
        + coalesce(network_adjustment_cost, 0) as decimal(28, 10)) as network_cost,
    cast(coalesce(source_shared_cost, 0)
        + coalesce(source_external_cost, 0) as decimal(28, 10)) as shared_cost
from exact as allocation
left join core.price using (cluster, window_start, node)
left join part.list_price using (cluster)
left join moved using (cluster, window_start, namespace, pod, container)
where not allocation like '%\_\_idle\_\_' escape '\'
    -- A ghost: half a step of a pod that had just ended. It has no hours and costs nothing.
    and (cpu_core_hours, memory_byte_hours, source_total_cost) is distinct from (0, 0, 0);
