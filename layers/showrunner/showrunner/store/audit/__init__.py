"""Tables of the schema audit."""
