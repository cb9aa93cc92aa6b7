-- What each workload cost in a month, of the days from $first to the day before $after.
--
-- Sums of every column of costs.daily that is a cost or hours; windows of a day are not summed.

select
    cast(date_trunc('month', day) as date) as month,
    columns(name -> not regexp_matches(name, '^day$|_(cost|hours|count)$')),
    sum(columns('(.+_(?:cost|hours))')) as '\1',
    count(distinct day) as day_count
from costs.daily
where day >= $first and day < $after
group by all
order by all;
