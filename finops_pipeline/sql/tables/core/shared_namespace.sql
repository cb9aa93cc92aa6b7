-- The namespaces that all teams use, as the settings name them.
--
-- kind: ledger

create table core.shared_namespace (
    position_count    integer not null,  -- how many patterns are asked before this one
    namespace_pattern varchar not null   -- namespaces it is for; * is any text, ? any character
);
