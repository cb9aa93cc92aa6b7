-- Persistent volumes, one row per state: stored when something changed, and all of them each UTC day.
--
-- kind: lake by window

create table raw.volume (
    cluster                varchar     not null,  -- cluster
    window_start           timestamptz not null,  -- first instant of the window it was seen in, UTC
    uid                    varchar     not null,  -- identifies it among objects of the same name
    name                   varchar     not null,  -- its name
    phase                  varchar,               -- as the API says
    storage_class          varchar,               -- storage class
    storage_bytes          double,                -- its size [bytes]
    volume_claim_namespace varchar,               -- namespace of the claim it is bound to
    volume_claim           varchar,               -- claim it is bound to
    driver                 varchar,               -- CSI driver
    volume_handle          varchar,               -- the disk, as its driver calls it
    access_modes           varchar,               -- JSON list
    reclaim_policy         varchar,               -- what becomes of it once its claim is gone
    labels                 varchar,               -- JSON object
    annotations            varchar,               -- JSON object
    created_at             timestamptz not null,  -- when it was created
    is_deleted             boolean     not null   -- it was gone in this window; the rest is how it last was
);
