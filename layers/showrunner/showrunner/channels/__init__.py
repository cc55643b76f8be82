"""Channels that an organisation runs: settings, backlog and calendar."""
