"""People, organisations and their rights: what the functions of this subject share."""
