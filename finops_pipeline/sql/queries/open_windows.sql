-- A window of a month that may still change: its statement is not closed without being forced.
--
-- A cluster's windows are expected from its first one on; those of frozen days lie before it. Other tables
-- than that of costs have no row for each window, so only what is there is looked at.

with known as (
    select * from core.window where table_name not in ('raw.bill', 'raw.scorecard', 'raw.statement')
),
expected as (
    select table_name, cluster, unnest(generate_series(
        greatest(min(window_start), $start), $end - interval 15 minutes, interval 15 minutes
    )) as window_start
    from known
    where table_name = 'raw.allocation'
    group by all
)
select cluster, table_name, window_start, coalesce(status, 'absent') as status
from (
    select cluster, table_name, window_start from expected
    union
    select cluster, table_name, window_start from known
    where window_start >= $start and window_start < $end
)
left join known using (cluster, table_name, window_start)
where coalesce(status, 'absent') not in ('final', 'lost')
order by all;
