-- A charge of the cloud's bill, as the FOCUS files of the bill folder say it.
--
-- Of a billing month the newest files count; one that has been read stays when the folder is emptied.
--
-- kind: lake by month, kept for good

create table raw.bill (
    window_start         timestamptz not null,  -- first instant of the billing month, UTC
    source_file          varchar     not null,  -- path of the file within the bill folder
    billing_period_start timestamptz not null,  -- first instant of the billing period
    charge_period_start  timestamptz,           -- first instant of what is charged
    charge_period_until  timestamptz,           -- first instant after it
    charge_category      varchar,               -- Usage, Purchase, Tax, Credit or Adjustment
    service_category     varchar,               -- Compute, Storage, Networking, ...
    service_name         varchar,               -- as the cloud names it
    sub_account_id       varchar,               -- account, subscription or project that is charged
    resource_id          varchar,               -- what is charged, where it is one thing
    region_id            varchar,               -- region
    tags                 varchar,               -- JSON of the resource's tags
    currency             varchar     not null,  -- that of the installation, ISO 4217
    billed_cost          decimal(28, 10) not null,  -- on the invoice; credits are negative [currency]
    effective_cost       decimal(28, 10) not null   -- with purchases spread over what they pay for [currency]
);
