"""The feed of what YouTube channels publish: subscriptions, callbacks, notifications, polling."""
