-- How full each volume was on each UTC day, and what of its cost was not used.
--
-- A volume that no pod mounts is waste, and so is the free room of one whose use is known. Null is unknown,
-- never zero.
--
-- kind: view

create view efficiency.volume_daily as
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
    used_byte_hours / nullif(measured_byte_hours, 0)
        as storage_usage_ratio,  -- used over size, where its use is known
    storage_cost as total_cost,  -- of everything [currency]
    if(
        unmounted_cost = 0 and storage_usage_ratio is null,
        null,
        unmounted_cost
            + coalesce(cast(measured_cost * greatest(0, 1 - storage_usage_ratio) as decimal(28, 10)), 0)
    ) as waste_cost,             -- while not mounted, and of free room; null when unknown [currency]
    (unmounted_cost + measured_cost) / nullif(storage_cost, 0)
        as measured_cost_ratio,  -- share of its cost that is unmounted, or of known use
    window_count,
    96 as expected_window_count  -- windows of a day
from costs.volume_daily;
