-- The labels that say who owns a cost, in the order they are asked.
--
-- kind: ledger

create table core.label_key (
    owner_part     varchar not null,  -- team, environment, project or cost_center
    position_count integer not null,  -- how many keys are asked before this one
    label          varchar not null   -- label as OpenCost writes it: _ for all but letters and digits
);
