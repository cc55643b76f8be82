"""What operators and platform admins see and do."""
