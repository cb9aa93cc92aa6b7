-- What the cloud's bill charges each cluster in a billing month (UTC).
--
-- The rows of a month add up to the bill. What no cluster's account claims is cluster '(no cluster)'.
--
-- kind: full

create table costs.billed_monthly (
    month          date            not null,  -- first day of the billing month
    cluster        varchar         not null,  -- cluster that is charged, or '(no cluster)'
    billed_cost    decimal(28, 10) not null,  -- on the invoice [currency]
    effective_cost decimal(28, 10) not null,
    charge_count   bigint          not null,  -- rows of the bill
    primary key (month, cluster)
);

with charge as (
    select
        cast(window_start as date) as month,
        sub_account_id,
        tags,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost,
        count(*) as charge_count
    from raw.bill
    group by all
),
-- Two clusters cannot claim the same charge: the settings are refused where they could.
account as (
    select distinct cluster, sub_account_id, tags as wanted_tags from core.bill_account
)
select
    month,
    coalesce(cluster, '(no cluster)') as cluster,
    sum(billed_cost) as billed_cost,
    sum(effective_cost) as effective_cost,
    sum(charge_count) as charge_count
from charge
left join account
    on charge.sub_account_id = account.sub_account_id
    and (wanted_tags = '{}' or json_contains(try_cast(tags as json), wanted_tags))
group by all;
