-- What each workload cost on a day, from $first to the day before $after.

select *
from costs.daily
where day >= $first and day < $after
order by all;
