"""The PostgreSQL connection with its transactions, and paged lists."""
