-- Every change of a window between two readings.
--
-- kind: ledger by hour

create table core.restatement (
    table_name    varchar     not null,  -- raw table
    cluster       varchar     not null,  -- cluster
    window_start  timestamptz not null,  -- first instant of the window, UTC
    restated_at   timestamptz not null,  -- when the new answer came
    reason        varchar     not null,  -- why it was read again
    old_row_count bigint      not null,  -- rows before
    new_row_count bigint      not null,  -- rows since
    old_total     decimal(28, 10),       -- sum of what the table measures, before
    new_total     decimal(28, 10),       -- sum of what the table measures, since
    old_content_sha256 varchar not null, -- hash of the rows before
    new_content_sha256 varchar not null  -- hash of the rows since
);
