-- A day that lacks windows of some cluster, and which: it costs less than it did.

select
    day,
    string_agg(
        coalesce(window_count, 0) || ' of ' || $day_windows || ' windows of ' || cluster,
        ', ' order by cluster
    ) as lacks
from (select unnest($days) as day)
cross join (select distinct cluster from core.window_daily where day in (select unnest($days)))
left join core.window_daily using (day, cluster)
where coalesce(window_count, 0) < $day_windows
group by day;
