"""SQL of the schema metrics: artists, their accounts, and the figures of the platforms."""
