"""Routes of operators and platform admins: health, metrics, quotas, users, organisations, audit."""
