-- Cost and size of each volume in each hour, once, however many pods mount it.
--
-- The rows of an hour add up to the storage cost of its cluster, to the last decimal. Storage cost of which
-- the source names no volume is a row of its own, without a name.
--
-- kind: incremental by hour, archived after native_hourly_days

create table costs.volume_hourly (
    hour                   timestamptz     not null,  -- first instant of the hour, UTC
    cluster                varchar         not null,
    volume                 varchar         not null,  -- persistent volume; '' where the source names none
    storage_class          varchar,                   -- storage class
    namespace              varchar,                   -- namespace of its claim, else of what mounts it
    volume_claim           varchar,                   -- claim that binds it; null without one
    provisioned_byte_hours double,                    -- its size over its hours [byte-hours]
    measured_byte_hours    double,                    -- of that, where its use is known [byte-hours]
    used_byte_hours        double,                    -- used over those hours [byte-hours]
    storage_cost           decimal(28, 10) not null,  -- of everything [currency]
    unmounted_cost         decimal(28, 10) not null,  -- of that, while no pod mounted it [currency]
    measured_cost          decimal(28, 10) not null,  -- of that, while mounted and its use known [currency]
    is_mounted             boolean         not null,  -- whether a pod mounted it in any window
    window_count           integer         not null,  -- windows it was there in
    check (window_count between 1 and 4)
);

with line as (
    select row_number() over () as line_id, cluster, window_start, namespace, cost_kind, storage_cost, volumes
    from costs.line_item
    where window_start >= $start and window_start < $end and (storage_cost <> 0 or volumes is not null)
),
named as (
    select
        line_id,
        regexp_replace(mounted.key, '^.*name=', '') as volume,
        try_cast(mounted.value ->> 'byteHours' as double) as byte_hours,
        try_cast(mounted.value ->> 'cost' as double) as exact_cost,
        coalesce(bool_and(exact_cost between 0 and 1e12) over (partition by line_id), false) as has_costs,
        -- Shares as the source's own costs, else as sizes. The tiny part splits what is free evenly.
        if(has_costs, exact_cost, if(byte_hours between 0 and 1e18, byte_hours / 1024 ** 3, 0)) + 1e-12
            as weight
    from line, json_each(volumes) as mounted
),
weighted as (
    select
        *,
        sum(weight) over (partition by line_id order by volume) as weight_until,
        sum(weight) over (partition by line_id) as line_weight
    from named
),
-- Rounding the running sum instead of each share makes the shares add up to the row's cost exactly.
running as (
    select
        line.* exclude (volumes),
        coalesce(volume, '') as volume,
        byte_hours,
        if(
            weight_until < line_weight,
            cast(storage_cost * (weight_until / line_weight) as decimal(28, 10)),
            storage_cost
        ) as cost_until
    from line
    left join weighted using (line_id)
),
share as (
    select
        *,
        cost_kind = 'unmounted' as is_unmounted,
        cost_until - lag(cost_until, 1, 0) over (partition by line_id order by volume) as volume_cost
    from running
),
volume_window as (
    select
        cluster,
        window_start,
        volume,
        max(namespace) filter (namespace not like '\_\_%' escape '\') as namespace,
        sum(byte_hours) as byte_hours,
        sum(volume_cost) as storage_cost,
        sum(if(is_unmounted, volume_cost, 0)) as unmounted_cost,
        bool_or(not is_unmounted) as is_mounted
    from share
    group by all
),
disk as (
    select
        cluster,
        window_start,
        name as volume,
        max(storage_class) as storage_class,
        max(nullif(volume_claim_namespace, '')) as claim_namespace,
        max(nullif(volume_claim, '')) as volume_claim,
        max(minutes) / 60 as hours,
        sum(storage_byte_hours) as storage_byte_hours,
        sum(storage_used_byte_hours) as storage_used_byte_hours
    from raw.asset
    where asset_kind = 'disk' and window_start >= $start and window_start < $end
    group by all
),
known as (
    select
        volume_window.*,
        disk.storage_class,
        coalesce(disk.claim_namespace, volume_window.namespace) as owner_namespace,
        disk.volume_claim,
        -- Pods that share a volume share its hours: the disk says them once.
        coalesce(disk.storage_byte_hours, volume_window.byte_hours) as provisioned_byte_hours,
        coalesce(usage.used_bytes * disk.hours, disk.storage_used_byte_hours) as used_byte_hours
    from volume_window
    left join disk using (cluster, window_start, volume)
    left join raw.volume_usage as usage
        on usage.cluster = volume_window.cluster
        and usage.window_start = volume_window.window_start
        and usage.namespace = disk.claim_namespace
        and usage.volume_claim = disk.volume_claim
)
select
    date_trunc('hour', window_start) as hour,
    cluster,
    volume,
    arg_max(storage_class, window_start) as storage_class,
    if(volume = '', null, arg_max(owner_namespace, window_start)) as namespace,
    arg_max(volume_claim, window_start) as volume_claim,
    sum(provisioned_byte_hours) as provisioned_byte_hours,
    sum(provisioned_byte_hours) filter (used_byte_hours is not null) as measured_byte_hours,
    sum(used_byte_hours) filter (provisioned_byte_hours is not null) as used_byte_hours,
    sum(storage_cost) as storage_cost,
    sum(unmounted_cost) as unmounted_cost,
    sum(if(used_byte_hours is null or provisioned_byte_hours is null, 0, storage_cost - unmounted_cost))
        as measured_cost,
    bool_or(is_mounted) as is_mounted,
    count(*) as window_count
from known
group by date_trunc('hour', window_start), cluster, volume;
