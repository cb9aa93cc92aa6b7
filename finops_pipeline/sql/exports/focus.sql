-- What each workload cost on each day, a row per resource, in the columns of FOCUS 1.4 (Cost and Usage).
--
-- BilledCost adds up to what the clusters cost, to the last decimal. There is no invoice behind it: all four
-- costs are the same. Idle cost is a charge of the cluster's nodes that no workload was allocated. Columns
-- that begin with x_ are ours.

with charge as (
    unpivot (
        select
            * exclude (
                cpu_cost, memory_cost, gpu_cost, storage_cost, network_cost, load_balancer_cost, shared_cost
            ),
            cpu_cost as cpu,
            memory_cost as memory,
            gpu_cost as gpu,
            storage_cost as storage,
            network_cost as network,
            load_balancer_cost as load_balancer,
            shared_cost as shared
        from costs.daily
        where day >= $first and day < $after
    )
    on cpu, memory, gpu, storage, network, load_balancer, shared
    into name resource value cost
),
service (resource, category, subcategory, service) as (
    values
        ('cpu', 'Compute', 'Containers', 'Kubernetes Compute'),
        ('memory', 'Compute', 'Containers', 'Kubernetes Compute'),
        ('gpu', 'Compute', 'Containers', 'Kubernetes Compute'),
        ('storage', 'Storage', 'Block Storage', 'Kubernetes Storage'),
        ('network', 'Networking', 'Network Connectivity', 'Kubernetes Network'),
        ('load_balancer', 'Networking', 'Network Routing', 'Kubernetes Network'),
        ('shared', 'Other', 'Other (Other)', 'Kubernetes Shared')
),
measured as (
    select
        *,
        cast(case resource
            when 'cpu' then cpu_billed_core_hours
            when 'memory' then memory_billed_byte_hours / 1024 ** 3
        end as decimal(28, 10)) as quantity,
        if(quantity is null, null, if(resource = 'cpu', 'Core-Hours', 'GiB-Hours')) as unit
    from charge
    join service using (resource)
    where cost <> 0
)
select
    cost as BilledCost,
    installation_id as BillingAccountId,
    'finops-pipeline' as BillingAccountName,
    'Installation' as BillingAccountType,
    currency as BillingCurrency,
    date_trunc('month', cast(day as timestamptz)) + interval 1 month as BillingPeriodEnd,
    date_trunc('month', cast(day as timestamptz)) as BillingPeriodStart,
    'Usage' as ChargeCategory,
    cast(null as varchar) as ChargeClass,
    replace(resource, '_', ' ') || ' of ' || if(cost_kind = 'workload', 'a ' || workload_kind, cost_kind)
        as ChargeDescription,
    'Usage-Based' as ChargeFrequency,
    cast(day as timestamptz) + interval 1 day as ChargePeriodEnd,
    cast(day as timestamptz) as ChargePeriodStart,
    quantity as ConsumedQuantity,
    unit as ConsumedUnit,
    cost as ContractedCost,
    cost as EffectiveCost,
    cast(null as varchar) as HostProviderName,
    'Kubernetes' as InvoiceIssuerName,
    cost as ListCost,
    'Standard' as PricingCategory,
    quantity as PricingQuantity,
    unit as PricingUnit,
    concat_ws('/', cluster, namespace, workload_kind, workload) as ResourceId,
    workload as ResourceName,
    workload_kind as ResourceType,
    category as ServiceCategory,
    service as ServiceName,
    'Kubernetes' as ServiceProviderName,
    subcategory as ServiceSubcategory,
    cluster as SubAccountId,
    cluster as SubAccountName,
    'Cluster' as SubAccountType,
    to_json({team: team, environment: environment, project: project, cost_center: cost_center}) as Tags,
    resource as x_Resource,
    cost_kind as x_CostKind,
    namespace as x_Namespace,
    workload_kind as x_WorkloadKind,
    workload as x_Workload,
    team as x_Team,
    environment as x_Environment,
    project as x_Project,
    cost_center as x_CostCenter,
    team_rule as x_AllocationRule
from measured
cross join core.installation
order by day, cluster, namespace, workload_kind, workload, team, environment, project, cost_center, resource;
