-- How much of each UTC day of each cluster the costs hold, and whether all of it.
--
-- kind: view

create view costs.complete_daily as
select
    day,
    cluster,
    cast(date_trunc('month', day) as date) as month,  -- first day of its month
    max(window_count) as window_count,     -- windows of the day that the costs hold; 96 is all
    max(window_count) = 96 as is_complete  -- whether they hold all
from costs.attributed_daily
group by day, cluster;
