"""Writing a text in other words."""
