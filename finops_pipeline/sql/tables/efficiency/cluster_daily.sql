-- How well each cluster was used, on each UTC day; its waste includes its idle cost.
--
-- Ratios are used over requested hours of the containers that request something and were measured;
-- what containers used without a request is a figure of its own. Null is unknown, never zero.

create view efficiency.cluster_daily (
    day,                           -- UTC day
    cluster,                       -- cluster
    cpu_requested_core_hours,      -- requested, where measured [core-hours]
    cpu_used_core_hours,           -- used, of those with a request [core-hours]
    cpu_unrequested_core_hours,    -- used without a request [core-hours]
    cpu_usage_ratio,               -- used over requested; may exceed 1
    memory_requested_byte_hours,   -- requested, where measured [byte-hours]
    memory_used_byte_hours,        -- used, of those with a request [byte-hours]
    memory_unrequested_byte_hours, -- used without a request [byte-hours]
    memory_usage_ratio,            -- used over requested; may exceed 1
    gpu_requested_hours,           -- allocated, where measured [GPU-hours]
    gpu_used_hours,                -- utilisation over those hours [GPU-hours]
    gpu_usage_ratio,               -- used over allocated
    storage_usage_ratio,           -- used over size, of measured volumes
    score_ratio,                   -- of CPU, memory and GPU, weighted by cost
    total_cost,                    -- of everything, idle included [currency]
    idle_cost,                     -- what nodes cost beyond containers [currency]
    unrequested_cost,              -- of CPU and memory nobody requested [currency]
    waste_cost,                    -- idle, and billed and not used, where measured [currency]
    storage_waste_cost,            -- of room in volumes that nobody used [currency]
    measured_cost_ratio,           -- share of the cost of CPU, memory and GPU with known usage
    window_count,                  -- windows of the day that are known
    expected_window_count          -- windows of a day
) as
select
    day,
    cluster,
    cpu_requested_core_hours,
    cpu_used_core_hours,
    cpu_unrequested_core_hours,
    cpu_usage_ratio,
    memory_requested_byte_hours,
    memory_used_byte_hours,
    memory_unrequested_byte_hours,
    memory_usage_ratio,
    gpu_requested_hours,
    gpu_used_hours,
    gpu_usage_ratio,
    storage_usage_ratio,
    score_ratio,
    total_cost,
    idle_cost,
    unrequested_cost,
    waste_cost,
    storage_waste_cost,
    measured_cost_ratio,
    window_count,
    96 as expected_window_count
from efficiency.usage_ratio
where level = 'cluster';
