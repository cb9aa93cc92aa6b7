-- Share of an allocation in what the load balancers it uses cost; the shares add up to their cost exactly.

-- Rounding the running sum instead of each share makes the shares add up to the balancer.
with share as (
    select
        cluster,
        window_start,
        allocation,
        cast(cost * weight_until / last_weight as decimal(28, 10))
            - cast(cost * weight_before / last_weight as decimal(28, 10)) as cost
    from (
        select *,
            lag(weight_until, 1, 0) over (
                partition by cluster, window_start, name order by allocation
            ) as weight_before,
            max(weight_until) over (partition by cluster, window_start, name) as last_weight
        from part.load_balancer_weight
    )
    join part.load_balancer using (cluster, window_start, name)
)
select cluster, window_start, allocation, sum(cost) as load_balancer_cost
from share
group by all;
