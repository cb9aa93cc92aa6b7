-- The scorecard as it is published now, to be kept as what was said on this UTC day.

select
    cast($window_start as timestamptz) as window_start,
    installation.published_at,
    scorecard.*
from kpis.scorecard
cross join core.installation
order by all;
