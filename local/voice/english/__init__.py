"""How the local voice says English: words, numbers, phonemes."""
