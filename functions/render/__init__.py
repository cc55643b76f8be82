"""Render a timeline.json to a finished video.

An independent program: it imports nothing of the rest of the project.
"""
