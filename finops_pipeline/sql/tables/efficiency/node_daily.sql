-- How much of each node was allocated and used on each UTC day.
--
-- Ratios are over what the node has, where its usage was measured and is plausible. Null is unknown,
-- never zero.
--
-- kind: view

create view efficiency.node_daily as
select
    day,
    cluster,
    node,                        -- node
    node_type,
    node_pool,
    zone,
    is_spot,
    coalesce(cpu_billed_core_hours, 0) / nullif(cpu_capacity_core_hours, 0)
        as cpu_allocated_ratio,  -- allocated over capacity
    cpu_used_core_hours / nullif(cpu_measured_core_hours, 0) as cpu_usage_ratio,  -- used over capacity
    coalesce(memory_billed_byte_hours, 0) / nullif(memory_capacity_byte_hours, 0)
        as memory_allocated_ratio,  -- allocated over capacity
    memory_used_byte_hours / nullif(memory_measured_byte_hours, 0)
        as memory_usage_ratio,  -- used over capacity
    (cpu_allocated_ratio * cpu_cost + memory_allocated_ratio * memory_cost)
        / nullif(cpu_cost + memory_cost, 0) as allocated_ratio,  -- of CPU and memory, weighted by cost
    (cpu_usage_ratio * cpu_cost + memory_usage_ratio * memory_cost)
        / nullif(cpu_cost + memory_cost, 0)
        as score_ratio,  -- used over capacity of CPU and memory, weighted by cost
    total_cost,                  -- of its CPU, memory and GPUs [currency]
    idle_cost,
    idle_cost + coalesce(unused_cost, 0)
        as waste_cost,  -- idle, and allocated and not used, where measured [currency]
    (
        cpu_cost * (cpu_measured_core_hours / nullif(cpu_capacity_core_hours, 0))
        + memory_cost * (memory_measured_byte_hours / nullif(memory_capacity_byte_hours, 0))
    ) / nullif(cpu_cost + memory_cost, 0)
        as measured_cost_ratio,  -- share of capacity whose usage is plausible, weighted by cost
    window_count,
    96 as expected_window_count  -- windows of a day
from costs.node_daily
where node <> '';
