"""YouTube's partner reports as files: their names, columns, encodings and values. No database, no AWS."""
