-- How plausible OpenCost's answers are, for each day of each cluster.
--
-- Where minutes_ratio is below 1, the source reported less time than containers ran: costs of the day
-- are short by up to that factor, and nothing is scaled. To be joined to tables by day and cluster.
-- A day whose windows do not add up to the source's answer for the day in one piece is degraded as a
-- whole; the reason is that of raw.source_daily in core.window.
--
-- kind: view

create view core.window_daily as
with compared as (
    select cast(window_start as date) as day, cluster, not is_degraded as is_reconciled
    from core.window
    where table_name = 'raw.source_daily' and status = 'final' and is_verified
),
costs_read as (
    select *, cast(window_start as date) as day, status in ('provisional', 'final') as is_read
    from core.window
    where table_name = 'raw.allocation'
)
select
    day,                                 -- UTC day
    cluster,
    count(*) filter (is_read) as window_count,  -- windows that were read
    count(*) filter (status = 'provisional')
        as provisional_window_count,  -- of those, windows that may still change
    count(*) filter (is_read and not is_verified)
        as unverified_window_count,  -- of those, windows that no other source confirmed
    count(*) filter (is_degraded or (is_read and not is_reconciled))
        as degraded_window_count,  -- of those, windows in which something is known to be wrong
    any_value(is_reconciled)
        as is_reconciled,  -- whether its windows are the day in one piece; null is not compared
    count(*) filter (status = 'lost')
        as lost_window_count,  -- windows that the source had forgotten before they were read
    min(minutes_ratio) as minutes_ratio  -- smallest of reported over true time; 1 is right, null is unknown
from costs_read
left join compared using (day, cluster)
group by all;
