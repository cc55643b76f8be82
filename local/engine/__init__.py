"""The local AWS: MiniStack on one loopback port, with what it lacks for this project added one concern per file."""
