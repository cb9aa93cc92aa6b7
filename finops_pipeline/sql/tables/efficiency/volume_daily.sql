-- How full each volume was on each UTC day, and what of its cost nobody used.
--
-- A volume that no pod mounts is waste, and so is the free room of one whose use is known. Null is unknown,
-- never zero.

create view efficiency.volume_daily (
    day,                    -- UTC day
    cluster,                -- cluster
    volume,                 -- persistent volume; '' where the source names none
    storage_class,          -- storage class
    namespace,              -- namespace of its claim, else of what mounts it
    volume_claim,           -- claim that binds it; null without one
    is_mounted,             -- whether a pod mounted it in any window
    provisioned_byte_hours, -- its size over its hours [byte-hours]
    measured_byte_hours,    -- of that, where its use is known [byte-hours]
    used_byte_hours,        -- used over those hours [byte-hours]
    storage_usage_ratio,    -- used over size, where its use is known
    total_cost,             -- of everything [currency]
    waste_cost,             -- of what nobody mounted and of free room; null when unknown [currency]
    measured_cost_ratio,    -- share of its cost that is unmounted, or of known use
    window_count,           -- windows it was there in
    expected_window_count   -- windows of a day
) as
select
    day,
    cluster,
    volume,
    storage_class,
    namespace,
    volume_claim,
    is_mounted,
    provisioned_byte_hours,
    measured_byte_hours,
    used_byte_hours,
    used_byte_hours / nullif(measured_byte_hours, 0) as storage_usage_ratio,
    storage_cost as total_cost,
    if(
        unmounted_cost = 0 and storage_usage_ratio is null,
        null,
        unmounted_cost
            + coalesce(cast(measured_cost * greatest(0, 1 - storage_usage_ratio) as decimal(28, 10)), 0)
    ) as waste_cost,
    (unmounted_cost + measured_cost) / nullif(storage_cost, 0) as measured_cost_ratio,
    window_count,
    96 as expected_window_count
from costs.volume_daily;
