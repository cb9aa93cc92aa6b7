-- Every window the platform knows of: what was read, when, and how plausible it is.
--
-- kind: ledger by hour

create table core.window (
    table_name     varchar     not null,  -- raw table: raw.allocation, raw.container_usage, ...
    cluster        varchar     not null,  -- cluster
    window_start   timestamptz not null,  -- first instant of the window, UTC
    status         varchar     not null,  -- absent, lost, final, or provisional: may still change
    is_verified    boolean     not null,  -- whether independent views agreed on it
    is_degraded    boolean     not null,  -- whether something in it is known to be wrong
    reason         varchar,               -- why it is absent, lost, unverified, degraded or short of minutes
    minutes_ratio  double,                -- reported over true time of a container; 1 is right
    row_count      bigint,                -- rows it holds
    total          decimal(28, 10),       -- sum of what the table measures, as the source says it
    read_count     integer     not null,  -- how often it was read
    fetched_at     timestamptz,           -- when it was last read
    next_read_at   timestamptz,           -- when it is read again; null when it is not
    content_sha256 varchar,               -- hash of its rows
    file           varchar,               -- lake file that holds them
    check (status in ('absent', 'provisional', 'final', 'lost'))
);
