-- Cost of each team in each calendar month (UTC), its share of idle and shared cost included.
--
-- The teams of a month add up to what its clusters cost, to the last decimal. A team has a row for each
-- month since its first, of no cost where it had none.

create view costs.team_monthly (
    month,             -- first day of the month
    cluster,           -- cluster the cost arose in
    team,              -- who pays, or 'unattributed', 'unmounted', 'idle', 'shared'
    direct_cost,       -- of its own workloads; credits are negative [currency]
    idle_cost,         -- its share of what nobody was allocated [currency]
    shared_cost,       -- its share of what all use [currency]
    total_cost,        -- sum of the three [currency]
    day_count,         -- days with cost
    is_complete,       -- whether the costs hold every window of the cluster's month
    previous_cost,     -- total_cost of the month before; null without one [currency]
    change_ratio,      -- change from it, where both months are complete; null after a month of no cost
    year_to_date_cost  -- total_cost since the fiscal year began, this month included [currency]
) as
select
    month,
    cluster,
    owner as team,
    direct_cost,
    idle_cost,
    shared_cost,
    total_cost,
    day_count,
    is_complete,
    previous_cost,
    change_ratio,
    year_to_date_cost
from costs.owner_monthly
where owner_part = 'team';
