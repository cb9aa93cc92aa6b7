-- How far what OpenCost said of each day of each cluster can be believed.
--
-- Where minutes_ratio is below 1, the source told less time than containers ran: costs of the day
-- are short by up to that factor, and nothing is scaled. To be joined to tables by day and cluster.

create view core.window_daily (
    day,                     -- UTC day
    cluster,                 -- cluster
    window_count,            -- windows that were read
    provisional_window_count, -- of those, windows that may still change
    unverified_window_count, -- of those, windows that nobody else confirmed
    degraded_window_count,   -- of those, windows in which something is known to be wrong
    lost_window_count,       -- windows that the source had forgotten before they were read
    minutes_ratio            -- smallest of told over true time; 1 is right, null is unknown
) as
select
    cast(window_start as date) as day,
    cluster,
    count(*) filter (status in ('provisional', 'final')) as window_count,
    count(*) filter (status = 'provisional') as provisional_window_count,
    count(*) filter (status in ('provisional', 'final') and not is_verified) as unverified_window_count,
    count(*) filter (is_degraded) as degraded_window_count,
    count(*) filter (status = 'lost') as lost_window_count,
    min(minutes_ratio) as minutes_ratio
from core.window
where table_name = 'raw.allocation'
group by all;
