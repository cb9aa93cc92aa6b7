-- The first and the last day that costs are known of. One row; null where there are none.

select min(day) as first_day, max(day) as last_day
from costs.daily;
