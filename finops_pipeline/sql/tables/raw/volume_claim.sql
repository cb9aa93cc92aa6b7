-- Persistent volume claims, one row per state: stored when something changed, and all of them each UTC day.
--
-- kind: lake by window

create table raw.volume_claim (
    cluster               varchar     not null,  -- cluster
    window_start          timestamptz not null,  -- first instant of the window it was seen in, UTC
    uid                   varchar     not null,  -- identifies it among objects of the same name
    namespace             varchar     not null,  -- Kubernetes namespace
    name                  varchar     not null,  -- its name
    phase                 varchar,               -- as the API says
    storage_class         varchar,               -- storage class
    volume                varchar,               -- volume it is bound to
    storage_request_bytes double,                -- asked for [bytes]
    storage_bytes         double,                -- what it got [bytes]
    access_modes          varchar,               -- JSON list
    labels                varchar,               -- JSON object
    annotations           varchar,               -- JSON object
    created_at            timestamptz not null,  -- when it was created
    is_deleted            boolean     not null   -- it was gone in this window; the rest is how it last was
);
