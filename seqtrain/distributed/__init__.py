"""One run on many processes: starting them, speaking with one another, ending together."""
