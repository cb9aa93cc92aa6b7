-- A window whose lake files hold more or fewer rows than the ledger says.

with stored as (
    select 'raw.allocation' as table_name, cluster, window_start, count(*) as stored_count
    from raw.allocation
    where window_start >= $start and window_start < $end
    group by all
)
select table_name, cluster, window_start, row_count, coalesce(stored_count, 0) as stored_count
from core.window
left join stored using (table_name, cluster, window_start)
where table_name = 'raw.allocation'
    and window_start >= $start and window_start < $end
    and coalesce(row_count, 0) <> coalesce(stored_count, 0);
