-- A cluster in whose newest known window the source reports less time than containers ran.
--
-- All its costs are short by that factor; nothing is scaled. The reason names what to set.

with newest as (
    select * from core.window
    semi join core.cluster using (cluster)  -- those that are still configured
    where table_name = 'raw.allocation' and minutes_ratio is not null
    qualify window_start = max(window_start) over (partition by cluster)
)
select cluster, window_start, minutes_ratio, reason
from newest
where minutes_ratio < 1;
