"""Predicting the next symbol of running text."""
