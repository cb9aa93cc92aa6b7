-- What all clusters cost from $first to the day before $after. One row; null where no cost is known.

select sum(total_cost) as total_cost
from costs.daily
where day >= $first and day < $after;
