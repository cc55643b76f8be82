"""The package that all functions share.

Directions: functions -> api, access, production, platforms, store, config, telemetry; store -> db; never
store <-> platforms.
"""
