"""Tables of the schema accounts."""
