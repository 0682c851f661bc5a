"""The classic probes of a long memory."""
