"""Backups of all tables: how they are made, listed, restored into a new database, and compared."""
