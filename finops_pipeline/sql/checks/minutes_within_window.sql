-- A container that ran for no time, or for longer than the window and one resolution step of 5 minutes.

select cluster, window_start, allocation, minutes
from raw.allocation
where window_start >= $start and window_start < $end
    and (minutes <= 0 or minutes > 15 + 5);
