-- A file in the bill folder, as it was last looked at.
--
-- kind: ledger

create table core.bill_file (
    path           varchar     not null,  -- within the bill folder
    size_bytes     bigint      not null,  -- as it lies there, packed or not [bytes]
    read_at        timestamptz not null,  -- when it was last looked at
    failure        varchar,               -- why it was refused; what it said before still counts
    billing_months varchar     not null,  -- months that it has charges of: 2026-10 2026-11
    sha256         varchar                -- of what it holds; of two that are equal one counts
);
