-- Cost of each workload in each calendar month (UTC), by owner, with idle and unmounted cost as rows.
--
-- The rows of a month add up to what its clusters cost, to the last decimal.
--
-- kind: view

create view costs.monthly as
with spent as (
    select
        cast(date_trunc('month', day) as date) as month,
        cluster,
        namespace,
        workload_kind,
        workload,
        cost_kind,
        team,
        environment,
        project,
        cost_center,
        sum(cpu_cost) as cpu_cost,
        sum(memory_cost) as memory_cost,
        sum(gpu_cost) as gpu_cost,
        sum(storage_cost) as storage_cost,
        sum(network_cost) as network_cost,
        sum(load_balancer_cost) as load_balancer_cost,
        sum(shared_cost) as shared_cost,
        sum(total_cost) as total_cost,
        count(distinct day) as day_count
    from costs.daily
    group by all
),
judged as (
    select spent.*, complete_monthly.is_complete, calendar.fiscal_year
    from spent
    join costs.complete_monthly using (month, cluster)
    join core.calendar on calendar.day = spent.month
)
select
    judged.month,                          -- first day of the month
    judged.cluster,
    judged.namespace,
    judged.workload_kind,
    judged.workload,
    judged.cost_kind,
    judged.team,
    judged.environment,
    judged.project,
    judged.cost_center,
    judged.cpu_cost,
    judged.memory_cost,
    judged.gpu_cost,
    judged.storage_cost,
    judged.network_cost,
    judged.load_balancer_cost,
    judged.shared_cost,
    judged.total_cost,
    judged.day_count,                      -- days with cost
    judged.is_complete,                    -- whether the costs hold every window of the cluster's month
    previous.total_cost as previous_cost,  -- total_cost of the month before; null without one [currency]
    if(
        judged.is_complete and previous.is_complete,
        judged.total_cost / nullif(previous.total_cost, 0) - 1,
        null
    ) as change_ratio,  -- change from it, where both months are complete; null after a month of no cost
    sum(judged.total_cost) over (
        partition by
            judged.cluster,
            judged.namespace,
            judged.workload_kind,
            judged.workload,
            judged.cost_kind,
            judged.team,
            judged.environment,
            judged.project,
            judged.cost_center,
            judged.fiscal_year
        order by judged.month
    ) as year_to_date_cost  -- total_cost since the fiscal year began, this month included [currency]
from judged
left join judged as previous
    on previous.month = judged.month - interval 1 month
    and previous.cluster = judged.cluster
    and previous.namespace = judged.namespace
    and previous.workload_kind = judged.workload_kind
    and previous.workload = judged.workload
    and previous.cost_kind = judged.cost_kind
    and previous.team = judged.team
    and previous.environment = judged.environment
    and previous.project = judged.project
    and previous.cost_center = judged.cost_center;
