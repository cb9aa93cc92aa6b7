-- CPU, memory and GPU efficiency of the newest measured window, weighted by cost.

select cluster, namespace, score_ratio as value
from efficiency.namespace_quarter_hourly
where score_ratio is not null
qualify window_start = max(window_start) over (partition by cluster);
