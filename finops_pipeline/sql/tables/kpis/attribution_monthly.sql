-- Share of each cluster's cost that each team, and each project, pays in each calendar month (UTC).
--
-- The shares of a month and owner_part add up to 1; 1 less that of 'unattributed' is what is attributed.
--
-- kind: view

create view kpis.attribution_monthly as
select
    month,
    cluster,
    owner_part,
    owner,
    total_cost,  -- with its share of idle and shared cost [currency]
    total_cost / nullif(sum(total_cost) over (partition by month, cluster, owner_part), 0)
        as cost_ratio  -- of what the cluster cost
from costs.owner_monthly;
