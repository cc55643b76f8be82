"""Tables of the schema ledger."""
