"""A page that explains a run: `seqtrain explain RUN`. One HTML file that needs nothing else."""

from seqtrain.explain.page import explain

__all__ = ["explain"]
