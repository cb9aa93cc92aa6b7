-- A cluster's day, or a workload's, whose cost is not the source's within the derived tolerance.
--
-- Of recent days; what is compared, and how far it may differ, costs.reconciliation_daily says.

with found as (
    select
        day,
        cluster,
        resource,
        null as namespace,
        null as workload,
        our_cost,
        source_window_cost,
        window_tolerance_cost,
        source_day_cost,
        day_tolerance_cost,
        asset_cost,
        asset_tolerance_cost
    from costs.reconciliation_daily
    where not is_reconciled
    union all by name
    select * exclude (window_difference_cost, day_difference_cost, is_reconciled)
    from costs.workload_reconciliation_daily
    where not is_reconciled
)
select *
from found
where day > (select max(day) from costs.reconciliation_daily) - to_days($lookback_days)
order by day, cluster, resource, namespace, workload;
