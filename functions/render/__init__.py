"""The renderer: timeline.json in, finished video out. A program of its own; nothing here imports the rest of the project."""
