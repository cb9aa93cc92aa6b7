-- A node whose CPU, memory or GPU has no price: its idle rest costs nothing.
--
-- Its containers cost what the source says.

with node as (
    select cluster, window_start, name as node, sum(gpu_hours) as gpu_hours
    from raw.asset
    where asset_kind = 'node' and window_start >= $start and window_start < $end
    group by all
)
select cluster, window_start, node, cpu_core_hour_price, memory_gib_hour_price, gpu_hour_price, gpu_hours
from core.price
left join node using (cluster, window_start, node)
where window_start >= $start and window_start < $end
    and (
        cpu_core_hour_price is null
        or memory_gib_hour_price is null
        or (gpu_hour_price is null and gpu_hours > 0)
    );
