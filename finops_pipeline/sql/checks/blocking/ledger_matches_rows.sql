-- A window whose current lake files hold more or fewer rows than the ledger says.

with stored_row as (
    select 'raw.allocation' as table_name, cluster, window_start from raw.allocation
    union all
    select 'raw.asset', cluster, window_start from raw.asset
    union all
    select 'raw.autoscaler', cluster, window_start from raw.autoscaler
    union all
    select 'raw.bill', '(all)', window_start from raw.bill
    union all
    select 'raw.container_usage', cluster, window_start from raw.container_usage
    union all
    select 'raw.disruption_budget', cluster, window_start from raw.disruption_budget
    union all
    select 'raw.inventory', cluster, window_start from raw.inventory
    union all
    select 'raw.namespace', cluster, window_start from raw.namespace
    union all
    select 'raw.node', cluster, window_start from raw.node
    union all
    select 'raw.pod', cluster, window_start from raw.pod
    union all
    select 'raw.pod_template', cluster, window_start from raw.pod_template
    union all
    select 'raw.price', cluster, window_start from raw.price
    union all
    select 'raw.scorecard', '(all)', window_start from raw.scorecard
    union all
    select 'raw.service', cluster, window_start from raw.service
    union all
    select 'raw.source_daily', cluster, window_start from raw.source_daily
    union all
    select 'raw.statement', '(all)', window_start from raw.statement
    union all
    select 'raw.storage_class', cluster, window_start from raw.storage_class
    union all
    select 'raw.volume', cluster, window_start from raw.volume
    union all
    select 'raw.volume_claim', cluster, window_start from raw.volume_claim
    union all
    select 'raw.volume_usage', cluster, window_start from raw.volume_usage
    union all
    select 'raw.workload', cluster, window_start from raw.workload
),
stored as (
    select table_name, cluster, window_start, count(*) as stored_row_count
    from stored_row
    where window_start >= $start and window_start < $end
    group by all
),
known as (
    select table_name, cluster, window_start, row_count
    from core.window
    where window_start >= $start and window_start < $end
)
select table_name, cluster, window_start, row_count, stored_row_count
from known
full join stored using (table_name, cluster, window_start)
where coalesce(row_count, 0) <> coalesce(stored_row_count, 0);
