-- Weight of an allocation in each load balancer it uses, and the sum of weights up to it.

select
    cluster,
    window_start,
    allocation,
    value ->> 'service' as name,
    try_cast(value ->> 'cost' as double) as exact_cost,
    -- The tiny part splits a free load balancer evenly instead of dividing by zero.
    coalesce(if(exact_cost between 0 and 1e12, exact_cost, null), source_load_balancer_cost, 0)
        + 1e-12 as weight,
    sum(weight) over (partition by cluster, window_start, name order by allocation) as weight_until
from raw.allocation, json_each(load_balancers)
where load_balancers is not null;
