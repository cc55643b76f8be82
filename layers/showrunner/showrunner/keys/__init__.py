"""The secrets of a stage: which there are, how they are replaced, and their rotation."""
