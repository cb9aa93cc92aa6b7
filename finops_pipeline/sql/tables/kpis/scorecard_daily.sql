-- The scorecard as it was first published on each UTC day: what was said then, whatever is known now.
--
-- A value of today's kpis.scorecard may differ for the same period: windows were read late or again.
--
-- kind: view

create view kpis.scorecard_daily as
select
    cast(window_start as date) as day,  -- UTC day on which it was said
    published_at,
    metric,
    period,
    first_day,
    last_day,
    cluster,
    target,
    value,
    unit,
    is_met,
    numerator,
    denominator,
    reason
from raw.scorecard;
