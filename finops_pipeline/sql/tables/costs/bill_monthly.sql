-- The cloud's bill of a month (UTC) beside our costs, for each cluster that has accounts in it.
--
-- Our costs and the adjustment add up to the bill, to the last decimal. The row '(no cluster)' holds
-- charges that no cluster claims, so that a month adds up to its whole bill.
--
-- kind: view

create view costs.bill_monthly as
with bill as (
    select month, cluster from (select distinct month from costs.billed_monthly)
    cross join (select distinct cluster from core.bill_account)
    union
    select month, cluster from costs.billed_monthly
),
ours as (
    select
        cast(date_trunc('month', day) as date) as month,
        cluster,
        sum(total_cost) as our_cost,
        count(distinct day) as day_count
    from costs.daily
    group by all
),
newest as (
    select max(day) as newest_day from costs.daily
)
select
    month,                                -- first day of the billing month
    cluster,                              -- cluster, or '(no cluster)'
    cast(coalesce(billed_cost, 0) as decimal(28, 10))
        as billed_cost,  -- on the invoice; 0 where the bill has no charge of it [currency]
    cast(coalesce(effective_cost, 0) as decimal(28, 10))
        as effective_cost,  -- the same with purchases spread over what they pay for [currency]
    cast(coalesce(our_cost, 0) as decimal(28, 10)) as our_cost,  -- ours, of its days of that month [currency]
    cast(coalesce(billed_cost, 0) - coalesce(our_cost, 0) as decimal(28, 10))
        as adjustment_cost,  -- billed less ours: closes to the bill [currency]
    cast(coalesce(billed_cost, 0) - coalesce(our_cost, 0) as double) / nullif(cast(billed_cost as double), 0)
        as difference_ratio,              -- adjustment over billed; null where nothing was billed
    coalesce(day_count, 0) as day_count,  -- days of that month we have costs of
    coalesce(newest_day > last_day(month), false)
        and (cluster = '(no cluster)' or coalesce(known.is_complete, false))
        as is_complete  -- whether the month is over and our costs hold every window of it
from bill
left join costs.complete_monthly as known using (month, cluster)
left join costs.billed_monthly using (month, cluster)
left join ours using (month, cluster)
cross join newest;
