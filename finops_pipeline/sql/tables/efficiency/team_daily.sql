-- How well each team used what its workloads requested, on each UTC day.
--
-- Ratios are used over requested hours of the containers that request something and were measured;
-- what containers used without a request is a figure of its own. Null is unknown, never zero.

create view efficiency.team_daily (
    day,                           -- UTC day
    cluster,                       -- cluster
    team,                          -- team that pays
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
    score_ratio,                   -- of CPU, memory and GPU, weighted by cost
    total_cost,                    -- of its workloads [currency]
    unrequested_cost,              -- of CPU and memory nobody requested [currency]
    waste_cost,                    -- billed and not used, where measured [currency]
    measured_cost_ratio,           -- share of the cost of CPU, memory and GPU with known usage
    window_count,                  -- windows of the day that are known
    expected_window_count          -- windows of a day
) as
select
    day,
    cluster,
    team,
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
    score_ratio,
    total_cost,
    unrequested_cost,
    waste_cost,
    measured_cost_ratio,
    window_count,
    96 as expected_window_count
from efficiency.usage_ratio
where level = 'team';
