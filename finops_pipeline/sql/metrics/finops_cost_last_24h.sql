-- Cost of the 24 hours up to the newest window of the cluster, in the installation's currency.

with newest as (
    select cluster, max(window_start) as newest_window_start
    from costs.quarter_hourly
    group by cluster
)
select cluster, namespace, team, environment, sum(total_cost) as value
from costs.quarter_hourly
join newest using (cluster)
where window_start > newest_window_start - interval 24 hours
group by all;
