-- The price list of the settings: what counts where the source has no price, or is preferred to it.
--
-- kind: ledger

create table core.price_list (
    cluster                  varchar not null,  -- cluster
    node_pool                varchar not null,  -- pool it is for; '' for what a pool's own row leaves out
    cpu_core_hour_price      double,            -- of a node [currency per core-hour]
    memory_gib_hour_price    double,            -- of a node [currency per GiB-hour]
    gpu_hour_price           double,            -- of a node [currency per GPU-hour]
    storage_gib_hour_price   double,            -- of a volume [currency per GiB-hour]
    load_balancer_hour_price double,            -- of a load balancer [currency per hour]
    discount_ratio           double  not null,  -- taken off the source's prices of nodes
    is_preferred             boolean not null   -- whether it counts also where the source has a price
);
