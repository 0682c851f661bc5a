"""A run whole, from its config to its folder: made, resumed, loaded, set next to others."""
