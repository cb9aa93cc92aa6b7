-- A window whose current lake files hold more or fewer rows than the ledger says.

with stored_row as (
    select 'raw.allocation' as table_name, cluster, window_start from raw.allocation
    union all
    select 'raw.asset', cluster, window_start from raw.asset
    union all
    select 'raw.container_usage', cluster, window_start from raw.container_usage
    union all
    select 'raw.price', cluster, window_start from raw.price
    union all
    select 'raw.volume_usage', cluster, window_start from raw.volume_usage
),
stored as (
    select table_name, cluster, window_start, count(*) as stored_row_count
    from stored_row
    where window_start >= $start and window_start < $end
    group by all
),
known as (
    select table_name, cluster, window_start, row_count
    from core.window
    where window_start >= $start and window_start < $end
)
select table_name, cluster, window_start, row_count, stored_row_count
from known
full join stored using (table_name, cluster, window_start)
where coalesce(row_count, 0) <> coalesce(stored_row_count, 0);
