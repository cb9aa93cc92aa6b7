-- How far a source of a cluster has been read: its windows by status, and its last failure.

with window_status as (
    select
        cluster,
        case
            when table_name in ('raw.allocation', 'raw.asset') then 'opencost'
            when table_name = 'raw.inventory' then 'kubernetes'
            when table_name in ('raw.container_usage', 'raw.price', 'raw.volume_usage') then 'prometheus'
        end as source,  -- null where only changes are stored
        count(distinct window_start) filter (status in ('provisional', 'final')) as windows_read,
        count(distinct window_start) filter (status = 'final') as windows_final,
        count(distinct window_start) filter (status <> 'absent' and not is_verified) as windows_unverified,
        count(distinct window_start) filter (is_degraded) as windows_degraded,
        count(distinct window_start) filter (status = 'lost') as windows_lost
    from core.window
    group by all
)
select
    cluster,
    source,
    complete_until,
    windows_read,
    windows_final,
    windows_unverified,
    windows_degraded,
    windows_lost,
    last_failed_at,
    last_failure
from core.cluster
left join window_status using (cluster, source)
order by cluster, source;
