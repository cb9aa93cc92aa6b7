-- Cost and size of each volume on each UTC day, once, however many pods mount it.
--
-- The rows of a day add up to the storage cost of its cluster, to the last decimal. Storage cost of which
-- the source names no volume is a row of its own, without a name.
--
-- kind: incremental by day

create table costs.volume_daily (
    day                    date            not null,  -- UTC day
    cluster                varchar         not null,
    volume                 varchar         not null,
    storage_class          varchar,
    namespace              varchar,
    volume_claim           varchar,
    provisioned_byte_hours double,
    measured_byte_hours    double,
    used_byte_hours        double,
    storage_cost           decimal(28, 10) not null,
    unmounted_cost         decimal(28, 10) not null,
    measured_cost          decimal(28, 10) not null,
    is_mounted             boolean         not null,
    window_count           integer         not null,
    check (window_count between 1 and 96)
);

select
    cast(hour as date) as day,
    cluster,
    volume,
    arg_max(storage_class, hour) as storage_class,
    arg_max(namespace, hour) as namespace,
    arg_max(volume_claim, hour) as volume_claim,
    sum(provisioned_byte_hours) as provisioned_byte_hours,
    sum(measured_byte_hours) as measured_byte_hours,
    sum(used_byte_hours) as used_byte_hours,
    sum(storage_cost) as storage_cost,
    sum(unmounted_cost) as unmounted_cost,
    sum(measured_cost) as measured_cost,
    bool_or(is_mounted) as is_mounted,
    sum(window_count) as window_count
from costs.volume_hourly
where hour >= $start and hour < $end
group by cast(hour as date), cluster, volume;
