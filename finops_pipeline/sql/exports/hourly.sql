-- What each container of a workload cost in an hour, from $first to the day before $after.

select *
from costs.hourly
where hour >= $first and hour < $after
order by all;
