-- How far each source of each cluster has been read.
--
-- kind: ledger

create table core.cluster (
    cluster        varchar     not null,  -- cluster
    source         varchar     not null,  -- opencost, prometheus or kubernetes
    complete_until timestamptz,           -- every window up to here is read or lost; null before the first
    newest_window_start timestamptz,      -- newest window that was read
    last_read_at   timestamptz,           -- last answer that was kept
    last_failed_at timestamptz,           -- last attempt that failed, if none succeeded since
    last_failure   varchar                -- what that attempt said
);
