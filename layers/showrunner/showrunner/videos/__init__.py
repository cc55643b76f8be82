"""The life of a video: ordering, uploads, executions, charges, failure, events."""
