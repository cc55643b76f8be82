"""What YouTube channels publish: subscriptions, callbacks, notifications, polling."""
