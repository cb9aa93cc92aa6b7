-- The labels of nodes that name their pool, in the order they are asked.
--
-- kind: ledger

create table core.node_pool_label (
    position_count integer not null,  -- how many labels are asked before this one
    label          varchar not null   -- label as OpenCost writes it: _ for all but letters and digits
);
