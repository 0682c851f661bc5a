"""Finding the names in sentences."""
