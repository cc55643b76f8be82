"""Artists whose figures on the platforms an organisation follows."""
