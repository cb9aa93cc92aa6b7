-- What each workload cost in a month, of the days from $first to the day before $after.
--
-- Sums of every cost and every hours column of costs.daily. window_count is not summed: day_count says how
-- many days were read.

select
    cast(date_trunc('month', day) as date) as month,
    columns(name -> not regexp_matches(name, '^day$|_(cost|hours|count)$')),
    sum(columns('(.+_(?:cost|hours))')) as '\1',
    count(distinct day) as day_count
from costs.daily
where day >= $first and day < $after
group by all
order by all;
