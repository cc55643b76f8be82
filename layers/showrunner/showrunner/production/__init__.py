"""The parts of a video and the rules for them, without any I/O."""
