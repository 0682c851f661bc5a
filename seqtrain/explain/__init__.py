"""A page that explains a run: `seqtrain explain RUN`. One HTML file that needs nothing else."""

from seqtrain.explain.page import MOST_GIVEN, explain

__all__ = ["MOST_GIVEN", "explain"]
