-- A container counted twice: more than one row of the same name in a window.

select cluster, window_start, allocation, count(*) as row_count
from raw.allocation
where window_start >= $start and window_start < $end
group by all
having count(*) > 1;
