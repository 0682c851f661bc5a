"""Jobs of a cluster: SLURM's by submitit, and Ray's."""

import json
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import Any, Literal, final

from seqtrain import limits
from seqtrain.errors import ConfigError
from seqtrain.runs.compare import read_json
from seqtrain.sweeps.launchers import JOB_LOG, Crew, Launcher, Process
from seqtrain.sweeps.remote import Remote, request_stop, withdraw_stop

TICKET = "cluster.json"
"""By what a job's run folder remembers its number on the cluster."""


@final
@dataclass(frozen=True, kw_only=True)
class Submitit(Launcher):
    """Jobs of a SLURM cluster. One whose time is up, or whose machine is taken back, saves and queues again.

    Attributes:
        cluster: slurm, or local: processes of this machine, to try it.
        jobs: How many are in the queue or run.
        timeout_min: Minutes until a job has to queue again.
        requeues: How often it may.
        cpus: Of each job.
        gpus: Of each job.
        mem_gb: Memory of each job; null: the cluster's own choice.
        partition: As SLURM has it; null: the cluster's own choice.
        account: As SLURM has it.
        qos: As SLURM has it.
        setup: Shell commands before each job.
        additional: Any other options of sbatch, as {constraint: a100}.
    """

    cluster: Literal["slurm", "local"] = "slurm"
    jobs: int = 100
    timeout_min: int = 240
    requeues: int = 10
    cpus: int = 4
    gpus: int = 0
    mem_gb: float | None = None
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    setup: list[str] | None = None
    additional: Any = None

    def __post_init__(self) -> None:
        limits.at_least("launcher", 1, jobs=self.jobs, timeout_min=self.timeout_min, cpus=self.cpus)
        limits.at_least("launcher", 0, requeues=self.requeues, gpus=self.gpus)
        limits.above_zero("launcher", mem_gb=self.mem_gb)
        if self.additional is not None and not isinstance(self.additional, dict):
            raise ConfigError(f"launcher.additional={self.additional}: expected options, as {{constraint: a100}}")
        if find_spec("submitit") is None:
            raise ConfigError("launcher=submitit: needs submitit; pip install 'seqtrain[submitit]' brings it")
        if self.cluster == "slurm" and which("srun") is None:
            raise ConfigError(
                "launcher.cluster=slurm: there is no SLURM here (no srun); local tries it on this machine"
            )

    def open(self, sweep: Path, lock: int) -> Crew:
        import submitit

        kept = {"slurm_max_num_timeout": self.requeues} if self.cluster == "slurm" else {}
        executor = submitit.AutoExecutor(folder=sweep / "cluster", cluster=self.cluster, **kept)
        executor.update_parameters(**self.parameters())
        return SubmititCrew(self.jobs, executor, self.cluster)

    def parameters(self) -> dict[str, Any]:
        """The options in submitit's words; what is null is left to the cluster."""
        told = {
            "name": "seqtrain",
            "timeout_min": self.timeout_min,
            "cpus_per_task": self.cpus,
            "gpus_per_node": self.gpus,
            "mem_gb": self.mem_gb,
            "slurm_partition": self.partition,
            "slurm_account": self.account,
            "slurm_qos": self.qos,
            "slurm_setup": [f"export OMP_NUM_THREADS={self.cpus}", *(self.setup or [])],
            "slurm_additional_parameters": self.additional,
        }
        return {key: value for key, value in told.items() if value is not None}


class SubmititCrew(Crew):
    """Places in a cluster's queue."""

    def __init__(self, places: int, executor: Any, cluster: str) -> None:
        self.places = places
        self.executor = executor
        self.cluster = cluster

    def start(self, run: Path, place: int) -> Process:
        known = read_json(run / TICKET)
        withdraw_stop(run)
        if self.cluster == "slurm" and known.get("cluster") == "slurm":
            # The sweep may have ended without its jobs; one that still runs is taken up, not doubled.
            job = self.executor.job_class(self.executor.folder, str(known["job"]))
            if not job.done(force_check=True):
                return SubmititProcess(run, job)
        job = self.executor.submit(Remote(run))
        (run / TICKET).write_text(json.dumps({"cluster": self.cluster, "job": job.job_id}), encoding="utf-8")
        return SubmititProcess(run, job)

    def describe(self) -> str:
        return f"up to {self.places} in the queue of {self.cluster}"


class SubmititProcess(Process):
    """A job of a cluster."""

    def __init__(self, run: Path, job: Any) -> None:
        self.run = run
        self.job = job

    def poll(self) -> int | None:
        if not self.job.done():
            return None
        try:
            return int(self.job.result())
        except Exception as error:  # whatever the cluster, or the call on the other machine, met with
            state = str(getattr(self.job, "state", "") or type(error).__name__)
            with (self.run / JOB_LOG).open("a", encoding="utf-8") as log:
                log.write(f"the cluster ended the job ({state}); see {self.job.paths.stderr}\n")
            return 1

    def stop(self) -> None:
        request_stop(self.run)

    def kill(self) -> None:
        self.job.cancel(check=False)


@final
@dataclass(frozen=True, kw_only=True)
class Ray(Launcher):
    """Jobs of a Ray cluster.

    Attributes:
        address: Of the cluster, or auto; null starts one on this machine.
        jobs: How many are handed to Ray at a time.
        cpus: Of each job.
        gpus: Of each job; a fraction shares one.
        retries: How often a job goes on elsewhere, after its machine was lost.
    """

    address: str | None = None
    jobs: int = 100
    cpus: int = 1
    gpus: float = 0.0
    retries: int = 3

    def __post_init__(self) -> None:
        limits.at_least("launcher", 1, jobs=self.jobs, cpus=self.cpus)
        limits.at_least("launcher", 0, gpus=self.gpus, retries=self.retries)
        if find_spec("ray") is None:
            raise ConfigError("launcher=ray: needs Ray; pip install 'seqtrain[ray]' brings it")

    def open(self, sweep: Path, lock: int) -> Crew:
        import ray

        try:
            ray.init(address=self.address, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise ConfigError(f"launcher.address={self.address}: {' '.join(str(error).split())}") from error
        resources = {"num_cpus": self.cpus, "num_gpus": self.gpus, "max_retries": self.retries}
        return RayCrew(self.jobs, ray.remote(**resources)(run_remote))


def run_remote(run: str) -> int:
    """What Ray calls on another machine."""
    return Remote(Path(run))()


class RayCrew(Crew):
    """Places in Ray's queue."""

    def __init__(self, places: int, function: Any) -> None:
        self.places = places
        self.function = function

    def start(self, run: Path, place: int) -> Process:
        withdraw_stop(run)
        return RayProcess(run, self.function.remote(str(run)))

    def describe(self) -> str:
        return f"up to {self.places} handed to Ray"

    def close(self) -> None:
        import ray

        ray.shutdown()


class RayProcess(Process):
    """A job that Ray has."""

    def __init__(self, run: Path, reference: Any) -> None:
        self.run = run
        self.reference = reference

    def poll(self) -> int | None:
        import ray

        if not ray.wait([self.reference], timeout=0)[0]:
            return None
        try:
            return int(ray.get(self.reference))
        except ray.exceptions.RayError as error:
            with (self.run / JOB_LOG).open("a", encoding="utf-8") as log:
                log.write(f"Ray ended the job ({type(error).__name__})\n")
            return 1

    def stop(self) -> None:
        request_stop(self.run)

    def kill(self) -> None:
        import ray

        ray.cancel(self.reference, force=True)
