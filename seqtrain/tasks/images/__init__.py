"""Reading images and films of digits."""
