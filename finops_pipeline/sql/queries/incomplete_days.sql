-- How many days from $first to the day before $after lack windows, and which is the first. One row.
--
-- Of one cluster, or of any where $cluster is null.

with expected as (
    select distinct cluster, cast(range as date) as day
    from core.cluster
    cross join range(cast($first as timestamp), cast($after as timestamp), interval 1 day)
    where cluster = coalesce($cluster, cluster)
)
select count(distinct day) as day_count, min(day) as first_day
from expected
left join costs.complete_daily using (cluster, day)
where is_complete is not true;
