"""Collect, archive, load and compare the figures that platforms report about artists."""
