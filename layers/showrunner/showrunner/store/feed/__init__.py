"""Tables of the schema feed."""
