"""Hearing what was said."""
