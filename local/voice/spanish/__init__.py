"""How the local voice says Spanish: words, numbers, phonemes."""
