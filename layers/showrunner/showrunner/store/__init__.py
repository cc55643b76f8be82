"""Tables and aggregates of PostgreSQL, one module each: functions that take the transaction first."""
