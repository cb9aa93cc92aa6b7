-- A budget of the newest month that is used up, or will be when the month ends.

select month, scope, name, budget_cost, spent_cost, projected_cost
from costs.budget_monthly
where month = (select max(month) from costs.budget_monthly)
    and greatest(spent_cost, projected_cost) > budget_cost;
