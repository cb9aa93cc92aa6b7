-- Cost of the 24 hours up to the newest complete window, in the installation's currency.

select cluster, namespace, team, environment, sum(total_cost) as value
from costs.quarter_hourly
where window_start >= (select max(window_start) from costs.quarter_hourly as newest) - interval 23 hours - interval 45 minutes
group by all;
