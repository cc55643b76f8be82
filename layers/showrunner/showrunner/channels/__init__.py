"""The channels that an organisation runs: what the functions of this subject share."""
