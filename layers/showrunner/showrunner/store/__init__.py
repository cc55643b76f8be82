"""One module for each table or aggregate of PostgreSQL: plain functions, transaction first, SQL where it runs."""
