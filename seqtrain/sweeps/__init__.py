"""Many runs from one command: what chooses them, where they run, and how they are kept track of."""

from seqtrain.sweeps.cluster import Ray, Submitit
from seqtrain.sweeps.launchers import Crew, Launcher, Local
from seqtrain.sweeps.manifest import Job, Manifest, key_of, locked
from seqtrain.sweeps.search import Axis, Choice, Grid, Optuna, Searched
from seqtrain.sweeps.sweep import Listed, Source, run_jobs

__all__ = [
    "Axis",
    "Choice",
    "Crew",
    "Grid",
    "Job",
    "Launcher",
    "Listed",
    "Local",
    "Manifest",
    "Optuna",
    "Ray",
    "Searched",
    "Source",
    "Submitit",
    "key_of",
    "locked",
    "run_jobs",
]
