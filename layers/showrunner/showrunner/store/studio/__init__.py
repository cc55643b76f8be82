"""Tables of the schema studio."""
