-- How each success metric stands, of each cluster and of all, in the last 7 complete UTC days and this month.
--
-- A value is its numerator over its denominator, of sums. One that is not known says why instead. What was
-- not measured counts in neither: waste is a share of the cost of CPU, memory and GPU that is idle or of
-- measured use, not of all cost.
--
-- kind: view

create view kpis.scorecard as
with aim (metric, unit, lowest, highest, target, unknown) as (
    values
        ('attributed_share', 'ratio', 1, null, '1', 'no cost in this period'),
        ('labelled_share', 'ratio', null, null, null, 'no label is configured, or no workload has cost'),
        ('cpu_use', 'ratio', 0.5, 0.65, '0.5 to 0.65', 'no plausible usage was measured'),
        ('memory_use', 'ratio', 0.45, 0.6, '0.45 to 0.6', 'no plausible usage was measured'),
        ('storage_use', 'ratio', 0.65, 0.8, '0.65 to 0.8', 'of no volume is known how full it is'),
        ('idle_share', 'ratio', null, null, null, 'no cost in this period'),
        ('waste_share', 'ratio', null, null, null, 'no plausible usage was measured'),
        ('spot_share', 'ratio', null, null, null, 'no node is known'),
        ('windows_read', 'ratio', 1, null, '1', 'no window was due in this period'),
        ('freshness', 'hours', null, 9, 'at most 9', 'nothing was read yet')
),
read_until as (
    select cluster, newest_window_start + interval 15 minutes as ended_at
    from core.cluster
    where source = 'opencost'
),
newest as (
    select max(ended_at) as ended_at, cast(max(ended_at) - interval 15 minutes as date) as today
    from read_until
),
period as (
    select
        'last_7_days' as period,
        cast(ended_at as date) - 7 as first_day,
        cast(ended_at as date) - 1 as last_day
    from newest
    union all
    select 'month_to_date', cast(date_trunc('month', today) as date), today
    from newest
),
cost as (
    select * from costs.daily join period on day between first_day and last_day
),
node as (
    select * from costs.node_daily join period on day between first_day and last_day where node <> ''
),
label as (
    select list(distinct owner_part) as owner_parts from core.label_key
),
-- Of clusters that are still configured.
first_window as (
    select cluster, min(window_start) as first_window_start
    from core.window
    semi join core.cluster using (cluster)
    where table_name = 'raw.allocation'
    group by cluster
),
part as (
    select
        'attributed_share' as metric,
        period,
        cluster,
        cast(sum(if(team = 'unattributed', 0, total_cost)) as double) as numerator,
        cast(sum(total_cost) as double) as denominator
    from costs.attributed_daily
    join period on day between first_day and last_day
    group by all
    union all
    select
        'labelled_share',
        period,
        cluster,
        sum(if(
            (team <> 'unattributed' or not list_contains(owner_parts, 'team'))
            and (environment <> 'unattributed' or not list_contains(owner_parts, 'environment'))
            and (project <> 'unattributed' or not list_contains(owner_parts, 'project'))
            and (cost_center <> 'unattributed' or not list_contains(owner_parts, 'cost_center')),
            total_cost,
            0
        )),
        sum(total_cost)
    from cost
    cross join label
    where cost_kind = 'workload' and len(owner_parts) > 0
    group by all
    union all
    select 'cpu_use', period, cluster, sum(cpu_used_core_hours), sum(cpu_measured_core_hours)
    from node
    group by all
    union all
    select 'memory_use', period, cluster, sum(memory_used_byte_hours), sum(memory_measured_byte_hours)
    from node
    group by all
    union all
    select 'storage_use', period, cluster, sum(used_byte_hours), sum(measured_byte_hours)
    from costs.volume_daily
    join period on day between first_day and last_day
    group by all
    union all
    select 'idle_share', period, cluster, sum(if(cost_kind = 'idle', total_cost, 0)), sum(total_cost)
    from cost
    group by all
    union all
    select
        'waste_share',
        period,
        cluster,
        sum(waste_cost),
        sum(list_sum([cpu_cost, memory_cost, gpu_cost, idle_cost]))
    from efficiency.usage_ratio
    join period on day between first_day and last_day
    -- On a day without a measurement only its idle part is known.
    where level = 'cluster' and measured_cost_ratio > 0
    group by all
    union all
    select
        'spot_share',
        period,
        cluster,
        sum(if(is_spot, cpu_capacity_core_hours, 0)),
        sum(cpu_capacity_core_hours)
    from node
    group by all
    union all
    select
        'windows_read',
        period,
        first_window.cluster,
        sum(coalesce(window_count, 0)),
        greatest(0, epoch(
            least(cast(any_value(last_day) + 1 as timestamptz), any_value(ended_at))
                - greatest(cast(any_value(first_day) as timestamptz), any_value(first_window_start))
        ) / 900)
    from period
    cross join newest
    cross join first_window
    left join core.window_daily as known
        on known.cluster = first_window.cluster and day between first_day and last_day
    group by all
    union all
    select 'freshness', 'now', cluster, epoch(coalesce(published_at, now()) - ended_at) / 3600, null
    from read_until
    cross join core.installation
    where ended_at is not null
),
total as (
    select
        metric,
        period,
        cluster,
        if(metric = 'freshness', max(numerator), sum(numerator)) as numerator,
        sum(denominator) as denominator
    from part
    group by grouping sets ((metric, period, cluster), (metric, period))
),
asked as (
    select metric, period, first_day, last_day, cluster
    from aim
    join (from period union all select 'now', null, null from newest) as period
        on (metric = 'freshness') = (period = 'now')
    cross join (select cluster from read_until union all select distinct null from read_until)
)
select
    asked.metric,   -- attributed_share, labelled_share, cpu_use, memory_use, storage_use, idle_share, ...
    asked.period,   -- last_7_days, month_to_date, or now
    first_day,      -- first UTC day of the period; null for now
    last_day,       -- last UTC day of the period; null for now
    asked.cluster,  -- cluster; null for all of them together
    target,         -- what is aimed at, in the unit; null where nothing was agreed
    numerator / nullif(coalesce(denominator, 1), 0)
        as value,  -- how it stands, in the unit; null when unknown
    unit,           -- ratio or hours
    if(
        coalesce(lowest, highest) is null,
        null,
        value >= coalesce(lowest, value) and value <= coalesce(highest, value)
    ) as is_met,    -- whether it is as aimed at; null when unknown or nothing was agreed
    numerator,      -- what is counted: money, hours, byte-hours or windows
    denominator,    -- of which; null where the value is no ratio
    if(value is null, unknown, null) as reason  -- why the value is unknown; null when it is known
from asked
join aim on aim.metric = asked.metric
left join total
    on total.metric = asked.metric
    and total.period = asked.period
    and total.cluster is not distinct from asked.cluster;
