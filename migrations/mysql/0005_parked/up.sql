-- Parked operations are few; without this, listing them reads every payment of the owner. NULL for all the others, whose entries
-- therefore stand in the order of their ids: writing one touches the page that the last one did.
CREATE INDEX payment_by_parked ON payment ((NULLIF(parked, 0)));
