"""Rights management of content owners: reports that come in, and what is done with their rows."""
