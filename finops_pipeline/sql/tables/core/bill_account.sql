-- An account of the cloud's bill whose charges belong to a cluster, as the settings say.
--
-- kind: ledger

create table core.bill_account (
    cluster        varchar not null,  -- cluster
    sub_account_id varchar not null,  -- SubAccountId of the charges
    tags           varchar not null   -- JSON of the tags they must have, too; {} for none
);
