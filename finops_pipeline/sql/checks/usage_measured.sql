-- A window, inside the lookback, whose usage was read and is implausible: it is unknown, and no waste.

with newest as (
    select max(window_start) as newest_window_start from core.window where table_name = 'raw.container_usage'
)
select cluster, window_start, reason, container_count, measured_container_count
from core.usage_window
semi join (
    from core.window
    cross join newest
    where table_name = 'raw.container_usage' and status in ('provisional', 'final')
        and window_start > newest_window_start - to_days($lookback_days)
) using (cluster, window_start)
where not is_plausible
order by window_start desc, cluster;
