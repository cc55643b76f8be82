"""The local AWS: MiniStack on one loopback port. Each file adds one thing that MiniStack lacks for this
project.
"""
