-- What each container requested, used and wasted in a window, as far as its usage is plausible.
--
-- Ask for a range as efficiency.line_item('2026-11-20', '2026-11-21'), end excluded.
-- Waste is the cost of what was billed and not used: cost x (1 - used / billed), never below zero.
--
-- kind: view, cached by hour

create view efficiency.line_item (
    window_start,
    cluster,
    namespace,                     -- Kubernetes namespace
    workload_kind,                 -- Deployment, ...; Pod without a controller
    workload,                      -- what a team deploys
    team,                          -- paying team, or 'unattributed', 'shared'
    environment,
    total_cost,                    -- of everything [currency]
    resource_cost,                 -- of CPU, memory and GPU [currency]
    unrequested_cost,              -- of CPU and memory without a request [currency]
    cpu_cost,                      -- of CPU, where measured [currency]
    memory_cost,                   -- of memory, where measured [currency]
    gpu_cost,                      -- of GPUs, where measured [currency]
    cpu_requested_core_hours,      -- requested, where measured [core-hours]
    cpu_used_core_hours,           -- used, of those with a request [core-hours]
    cpu_unrequested_core_hours,    -- used without a request [core-hours]
    memory_requested_byte_hours,   -- requested, where measured [byte-hours]
    memory_used_byte_hours,        -- used, of those with a request [byte-hours]
    memory_unrequested_byte_hours, -- used without a request [byte-hours]
    gpu_requested_hours,           -- allocated, where measured [GPU-hours]
    gpu_used_hours,                -- utilisation over those hours [GPU-hours]
    cpu_waste_cost,                -- of CPU billed and not used [currency]
    memory_waste_cost,             -- of memory billed and not used [currency]
    gpu_waste_cost                 -- of GPUs allocated and not used [currency]
) as
select
    window_start,
    cluster,
    namespace,
    workload_kind,
    workload,
    team,
    environment,
    cpu_cost + memory_cost + gpu_cost + storage_cost + network_cost + load_balancer_cost + shared_cost
        as total_cost,
    cpu_cost + memory_cost + gpu_cost as resource_cost,
    if(coalesce(cpu_requested_core_hours, 0) = 0, cpu_cost, 0)
        + if(coalesce(memory_requested_byte_hours, 0) = 0, memory_cost, 0) as unrequested_cost,
    if(cpu_used_core_hours is null, null, cpu_cost) as cpu_cost,
    if(memory_used_byte_hours is null, null, memory_cost) as memory_cost,
    if(gpu_used_hours is null, null, gpu_cost) as gpu_cost,
    if(cpu_used_core_hours is null, null, nullif(cpu_requested_core_hours, 0)) as cpu_requested_core_hours,
    if(cpu_requested_core_hours > 0, cpu_used_core_hours, null) as cpu_used_core_hours,
    if(coalesce(cpu_requested_core_hours, 0) = 0, cpu_used_core_hours, null) as cpu_unrequested_core_hours,
    if(memory_used_byte_hours is null, null, nullif(memory_requested_byte_hours, 0))
        as memory_requested_byte_hours,
    if(memory_requested_byte_hours > 0, memory_used_byte_hours, null) as memory_used_byte_hours,
    if(coalesce(memory_requested_byte_hours, 0) = 0, memory_used_byte_hours, null)
        as memory_unrequested_byte_hours,
    if(gpu_used_hours is null, null, nullif(gpu_billed_hours, 0)) as gpu_requested_hours,
    if(gpu_billed_hours > 0, gpu_used_hours, null) as gpu_used_hours,
    -- greatest() would turn an unknown into 0, here and below.
    if(cpu_used_core_hours is null, null, cast(
        cpu_cost * greatest(0, 1 - cpu_used_core_hours / nullif(cpu_billed_core_hours, 0)) as decimal(28, 10)
    )) as cpu_waste_cost,
    if(memory_used_byte_hours is null, null, cast(
        memory_cost * greatest(0, 1 - memory_used_byte_hours / nullif(memory_billed_byte_hours, 0))
            as decimal(28, 10)
    )) as memory_waste_cost,
    if(gpu_used_hours is null, null, cast(
        gpu_cost * greatest(0, 1 - gpu_used_hours / nullif(gpu_billed_hours, 0)) as decimal(28, 10)
    )) as gpu_waste_cost
from costs.line_item
where cost_kind = 'workload';
