"""SQL of the schema rights: content owners, their reports, and the rows of these."""
