-- How well each cluster was used, on each UTC day; its waste includes its idle cost.
--
-- Ratios are used over requested hours of the containers that request something and were measured;
-- what containers used without a request is a figure of its own. Null is unknown, never zero.
--
-- kind: view

create view efficiency.cluster_daily as
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
    total_cost,                  -- of everything, idle included [currency]
    idle_cost,
    unrequested_cost,
    waste_cost,                  -- idle, and billed and not used, where measured [currency]
    storage_waste_cost,
    measured_cost_ratio,
    window_count,                -- windows of the day that are known
    96 as expected_window_count  -- windows of a day
from efficiency.usage_ratio
where level = 'cluster';
