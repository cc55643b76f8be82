"""Answers of platforms that are kept for reads for which a person waits."""
