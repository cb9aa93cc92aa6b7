-- What the Kubernetes API was asked for in a window, one row per kind of objects.
--
-- kind: lake by window

create table raw.inventory (
    cluster       varchar     not null,  -- cluster
    window_start  timestamptz not null,  -- first instant of the window, UTC
    kind          varchar     not null,  -- as the API calls it: Pod, Deployment, ...
    object_count  double,                -- listed; null when it could not be [objects]
    changed_count double,                -- new, changed or gone since the reading before [objects]
    failure       varchar                -- why it could not be listed; its last known states are kept
);
