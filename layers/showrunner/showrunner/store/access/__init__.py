"""Tables of the schema access."""
