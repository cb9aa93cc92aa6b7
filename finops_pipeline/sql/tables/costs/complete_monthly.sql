-- How much of each calendar month (UTC) of each cluster the costs hold, and whether all of it.
--
-- kind: view

create view costs.complete_monthly as
select
    month,  -- first day of the month
    cluster,
    count(*) filter (is_complete) as complete_day_count,  -- days of which the costs hold every window
    count(*) filter (is_complete) = day_count as is_complete  -- whether these are all days of the month
from costs.complete_daily
join core.calendar using (day, month)
group by month, cluster, day_count;
