-- The labels that say who owns a cost, or which pool a node is of, in the order they are asked.

create table core.label_key (
    owner_part     varchar not null,  -- team, environment, project, cost_center or node_pool
    position_count integer not null,  -- how many keys are asked before this one
    label          varchar not null   -- label as OpenCost writes it: _ for all but letters and digits
);
