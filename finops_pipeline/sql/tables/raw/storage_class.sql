-- Storage classes, one row per state: stored when something changed, and all of them each UTC day.
--
-- kind: lake by window

create table raw.storage_class (
    cluster             varchar     not null,  -- cluster
    window_start        timestamptz not null,  -- first instant of the window it was seen in, UTC
    uid                 varchar     not null,  -- identifies it among objects of the same name
    name                varchar     not null,  -- its name
    provisioner         varchar,               -- who makes its volumes
    reclaim_policy      varchar,               -- what becomes of it once its claim is gone
    volume_binding_mode varchar,               -- when a volume is made
    is_expandable       boolean,               -- whether its volumes can grow
    is_default          boolean,               -- whether claims without a class get it
    parameters          varchar,               -- JSON object
    created_at          timestamptz not null,  -- when it was created
    is_deleted          boolean     not null   -- it was gone in this window; the rest is how it last was
);
