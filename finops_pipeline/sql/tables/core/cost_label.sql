-- The labels that costs are summed by, as the settings name them.
--
-- kind: ledger

create table core.cost_label (
    position_count integer not null,  -- how many labels stand before this one
    label          varchar not null   -- label as OpenCost writes it: _ for all but letters and digits
);
