"""What every function shares.

Directions: functions -> api, access, production, platforms, store, config, telemetry; store -> db; never
store <-> platforms.
"""
