-- A window inside the lookback, more than an hour older than the newest one, that is not there.
--
-- One that was never tried has no row in core.window; it is missing all the same. Of Kubernetes only the
-- inventory is there in each window: the other tables are where something changed.

with expected_table (table_name, source) as (
    values
        ('raw.allocation', 'opencost'),
        ('raw.asset', 'opencost'),
        ('raw.container_usage', 'prometheus'),
        ('raw.price', 'prometheus'),
        ('raw.volume_usage', 'prometheus'),
        ('raw.inventory', 'kubernetes')
),
newest as (
    select max(window_start) as window_start
    from core.window
    where status <> 'absent'
),
span as (
    select table_name, cluster, min(window_start) as first_window
    from core.window
    join expected_table using (table_name)
    semi join core.cluster using (cluster, source)  -- those that are still configured
    group by all
),
expected as (
    select
        table_name,
        cluster,
        unnest(generate_series(
            greatest(first_window, window_start - to_days($lookback_days)),
            window_start - interval 75 minutes,
            interval 15 minutes
        )) as window_start
    from span
    cross join newest
)
select table_name, cluster, window_start, reason
from expected
left join core.window using (table_name, cluster, window_start)
where coalesce(status, 'absent') = 'absent';
