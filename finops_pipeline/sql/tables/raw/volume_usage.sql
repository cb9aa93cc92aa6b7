-- How full each volume claim was in a window, as the kubelet measured it.
--
-- kind: lake by window

create table raw.volume_usage (
    cluster        varchar     not null,  -- cluster
    window_start   timestamptz not null,  -- first instant of the window, UTC
    namespace      varchar     not null,  -- Kubernetes namespace
    volume_claim   varchar     not null,  -- persistent volume claim
    used_bytes     double,                -- mean of the window [bytes]
    capacity_bytes double                 -- mean of the window [bytes]
);
