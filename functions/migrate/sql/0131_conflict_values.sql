-- What a conflict of ownership is worth: the asset's revenue in the newest months whose money is loaded.
-- value_usd: computed after each report of conflicts or money (store/rights/conflict_values.py), null without money of
-- these months. value_months: the months that it adds up.
ALTER TABLE rights.conflicts ADD COLUMN value_usd numeric, ADD COLUMN value_months date[];
CREATE INDEX conflicts_by_value ON rights.conflicts (organisation_id, coalesce(value_usd, -1),
    (owner_id::text || '|' || asset_id || '|' || conflicting_owner));
