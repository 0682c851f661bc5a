"""Sorting texts into classes."""
