"""The PostgreSQL connection, transactions, and the engine of paged lists."""
