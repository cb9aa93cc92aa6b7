-- A row of the scorecard, as it was first published on a UTC day; nothing changes it any more.
--
-- kind: lake by day, kept for good, appended

create table raw.scorecard (
    window_start timestamptz not null,  -- first instant of the UTC day on which it was said
    published_at timestamptz not null,  -- when it was published
    metric       varchar     not null,  -- attributed_share, labelled_share, cpu_use, memory_use, ...
    period       varchar     not null,  -- last_7_days, month_to_date, or now
    first_day    date,                  -- first UTC day of the period; null for now
    last_day     date,                  -- last UTC day of the period; null for now
    cluster      varchar,               -- cluster; null for all of them together
    target       varchar,               -- what was aimed at, in the unit; null where nothing was agreed
    value        double,                -- how it stood, in the unit; null when unknown
    unit         varchar     not null,  -- ratio or hours
    is_met       boolean,               -- whether it was as aimed at; null when unknown or nothing was agreed
    numerator    double,                -- what was counted: money, hours, byte-hours or windows
    denominator  double,                -- of which; null where the value is no ratio
    reason       varchar                -- why the value was unknown; null when it was known
);
