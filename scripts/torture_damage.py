"""Damaged and hostile checkpoints, configurations and data files, each given to the command line in a child.

A child may read it rightly or refuse it in one line with code 2. It must not crash, hang, take more than so much
memory, or run anything that a file brought along.
"""

import gzip
import io
import pickle
import shutil
import signal
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from torture_children import Child, differences, fork, same

from seqtrain.training import checkpoint

STEPS = 9
CONSTANT = "scheduler=constant"
"""So that a run which was to be shorter has the same steps."""
SECONDS = 60.0
"""After which a child hangs; so long since a busy machine is slow."""
MORE_BYTES = 3 << 30
CANARY = "canary"
"""A file that only code from a hostile file would write."""
PIECES = [
    b"\0",
    b"\n",
    b"\xff" * 8,
    b"\x7f\xff\xff\xff",
    b"9" * 4000,
    b"[" * 2000,
    b"nan",
    b"-1",
    b"null",
    b'"',
    b": ",
    b"\x1b",
]

Bytes = Callable[[bytes, np.random.Generator], bytes]


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """One to three flips, cuts, insertions or swaps."""
    for _ in range(rng.integers(1, 4)):
        at, end = sorted(int(place) for place in rng.integers(len(content) + 1, size=2))
        piece = PIECES[rng.integers(len(PIECES))]
        match rng.integers(6):
            case 0:
                content = (
                    content[:at]
                    + bytes(byte ^ (1 << rng.integers(8)) for byte in content[at : at + 1])
                    + content[at + 1 :]
                )
            case 1:
                content = content[:at]
            case 2:
                content = content[:at] + piece + content[at:]
            case 3:
                content = content[:at] + content[end:]
            case 4:
                content = content[:at] + piece + content[at + len(piece) :]
            case _:
                lines = content.split(b"\n")
                i, j = rng.integers(len(lines), size=2)
                lines[i], lines[j] = lines[j], lines[i]
                content = b"\n".join(lines)
    return content


def damage(torture: Any) -> None:
    """A thousand of them: 400 checkpoints, 200 configurations, 400 data files."""
    (torture.folder / f"{CANARY}_module.py").write_text(f"open({CANARY!r}, 'w').close()\nclass Task: ...\n")
    reference = torture.finished("undisturbed", f"trainer.max_steps={STEPS}", CONSTANT)
    template = stopped(torture)
    checkpoints(torture, template, reference)
    configurations(torture, template)
    data_files(torture)
    if list(torture.folder.rglob(CANARY)):
        torture.fail("a canary was written: something from a file has been executed")


def stopped(torture: Any) -> Path:
    """A run of which some steps are left."""
    run = torture.finished("template", f"trainer.max_steps={STEPS - 3}", CONSTANT)
    config = run / "config.yaml"
    config.write_text(config.read_text().replace(f"max_steps: {STEPS - 3}", f"max_steps: {STEPS}"))
    (run / "summary.json").unlink()
    return run


def tried(torture: Any, arguments: list[str], what: str, *, may_train_on: bool = False) -> Child:
    """Runs one command line, and notes what became of it."""
    child = fork(arguments, torture.folder / "child.out", cwd=torture.folder, more_bytes=MORE_BYTES)
    code = child.wait(SECONDS)
    if code is None:
        child.kill(signal.SIGTERM)
        if child.wait(SECONDS) is None:
            child.kill(signal.SIGKILL)
            child.wait()
        good = may_train_on and child.code == 128 + signal.SIGTERM and not child.signalled
        torture.seen[f"{what}: " + ("trained on until it was stopped" if good else "HUNG")] += 1
    else:
        error = child.error()
        good = code == 0 or (code == 2 and error.startswith("seqtrain: ") and error.count("\n") == 1)
        torture.seen[f"{what}: " + {0: "taken", 2: "refused"}.get(code, f"code {code}")] += 1
    if not good:
        kept = torture.folder / f"failed-{len(torture.failures)}"
        torture.fail(f"{what}: code {code}: {' '.join(arguments)} (see {kept}): ...{child.error()[-300:]}")
        shutil.copyfile(child.output.with_suffix(".err"), kept)
    return child


# -------------------------------------------------------------------- checkpoints


class Payload:
    """What, once unpickled, has written the canary."""

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (CANARY, "w")


def checkpoints(torture: Any, template: Path, reference: Path) -> None:
    """Some or all checkpoints of a run are damaged; what is resumed must come to the undisturbed run's weights."""
    names = sorted(path.name for path in (template / "checkpoints").iterdir())
    hostile = hostile_checkpoints(template / "checkpoints" / "last.pt")
    for n in range(torture.times(400)):
        run = torture.folder / "run"
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(template, run)  # what were names of one file are files of their own from here on
        kind = "damaged checkpoint"
        if n % 4 == 0:
            kind, content = hostile[n // 4 % len(hostile)]
            (run / "checkpoints" / "last.pt").write_bytes(content)
            if torture.rng.random() < 0.5:
                for name in names:
                    (run / "checkpoints" / name).write_bytes(content)
        else:
            for name in names if n % 4 == 1 else ["last.pt"]:
                path = run / "checkpoints" / name
                path.write_bytes(damaged(path.read_bytes(), torture.rng))
        child = tried(torture, ["resume", str(run)], kind)
        if child.code == 0 and kind != "swapped values":
            found, wanted = (checkpoint.load(each / "checkpoints" / "last.pt") for each in (run, reference))
            if not same(found["model"], wanted["model"]):
                torture.fail(f"{kind} {n}: resumed to other weights: {[*differences(run, reference)]}")


def hostile_checkpoints(path: Path) -> list[tuple[str, bytes]]:
    """What a checkpoint may hold to do harm, by a name."""
    state = checkpoint.load(path)
    step = state["progress"]

    def saved(content: Any) -> bytes:
        file = io.BytesIO()
        torch.save(content, file)
        return file.getvalue()

    def with_pickle(pickled: bytes, compression: int = zipfile.ZIP_STORED) -> bytes:
        file = io.BytesIO()
        with zipfile.ZipFile(path) as old, zipfile.ZipFile(file, "w", compression) as new:
            for name in old.namelist():
                new.writestr(name, pickled if name.endswith("data.pkl") else old.read(name))
        return file.getvalue()

    large = torch.zeros(1).expand(1 << 40)
    shapes = {name: value[..., :1].clone() for name, value in state["model"].items()}
    return [
        ("pickle that writes a file", pickle.dumps(Payload())),
        ("pickle that writes a file", saved({**state, "model": Payload()})),
        ("pickle that writes a file", with_pickle(pickle.dumps(Payload()))),
        ("pickle that imports", with_pickle(b"c" + f"{CANARY}_module\nTask\n.".encode())),
        ("zip bomb", with_pickle(b"0" * (1 << 27), zipfile.ZIP_DEFLATED)),
        ("tensor of 2^40 numbers", saved({**state, "model": {"weight": large}})),
        ("wrong shapes", saved({**state, "model": shapes})),
        ("wrong keys", saved({**state, "model": {}})),
        ("wrong keys", saved({key: value for key, value in state.items() if key != "rng"})),
        ("wrong types", saved({**state, "progress": [1, 2]})),
        ("wrong types", saved({**state, "optimizer": "none"})),
        ("wrong types", saved({**state, "rng": {"cpu": torch.zeros(3), "cuda": 7}})),
        ("wrong types", saved({**state, "progress": {**step, "step": "many"}})),
        ("wrong types", saved({**state, "format": 10**30})),
        ("swapped values", saved({**state, "progress": {**step, "step": -5, "epoch": -1}})),
        ("swapped values", saved({**state, "progress": {**step, "batch": 10**9}})),
        ("swapped values", saved({**state, "progress": {**step, "epoch": -7, "batch": -3}})),
        ("swapped values", saved({**state, "progress": {**step, "step": 1 << 62}})),
        ("no dict", saved([state])),
    ]  # fmt: skip


# -------------------------------------------------------------------- configurations


def configurations(torture: Any, template: Path) -> None:
    """config.yaml of a run folder is damaged, or names what must not be built."""
    whole = (template / "config.yaml").read_bytes()
    targets = ["os.system", f"{CANARY}_module.Task", "seqtrain.cli.main", "builtins.eval", f"seqtrain.{CANARY}"]
    for n in range(torture.times(200)):
        run = torture.folder / "run"
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(template, run)
        hostile = n % 5 == 0
        target = targets[n // 5 % len(targets)]
        content = (
            whole.replace(b"seqtrain.tasks.Translation", target.encode()) if hostile else damaged(whole, torture.rng)
        )
        (run / "config.yaml").write_bytes(content)
        tried(
            torture, ["resume", str(run)], "hostile _target_" if hostile else "damaged config", may_train_on=not hostile
        )


# -------------------------------------------------------------------- data


def data_files(torture: Any) -> None:
    """A user's data file is damaged, and trained on for a step."""
    files = whole_files()
    short = ["device=cpu", "model.hidden_size=4", "trainer.max_steps=1", "trainer.batch_size=4"]
    for n in range(torture.times(400)):
        name, content, options = files[n % len(files)]
        place = torture.folder / "data"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        for other, whole, _ in files:  # partners and manifests stay whole
            (place / other).write_bytes(whole)
        (place / name).write_bytes(damaged(content, torture.rng))
        arguments = [*short, f"run_dir={place}/run", *options.format(place=place).split()]
        tried(torture, arguments, f"damaged {name}")


def whole_files() -> list[tuple[str, bytes, str]]:
    """Each kind of data file, with the command line that reads it."""
    rng = np.random.default_rng(0)
    tsv = "text\tlabel\n" + "".join(f"good film {n}\t{'pos' if n % 2 else 'neg'}\n" for n in range(40))
    rows = "date,a,b\n" + "".join(f"2020-01-{n + 1:02},{n * n},{1 / (n + 1):.3f}\n" for n in range(31))
    conll = "\n".join(f"Anna{n}\tB-person\nin\tO\nRome\tI-place\n" for n in range(40))
    lines = "".join(f"ein Haus {n}\n" for n in range(40)).encode()
    films, wave = io.BytesIO(), io.BytesIO()
    np.savez_compressed(films, rng.integers(256, size=(12, 3, 12, 12)).astype(np.uint8))
    soundfile.write(wave, rng.normal(0, 0.1, 800).astype(np.float32), 8000, format="FLAC")
    manifest = "path,label\n" + "".join(f"a.flac,{'ab'[n % 2]}\n" for n in range(40))
    jsonl = "".join(f'{{"text": "good film {n}", "label": {n % 2}}}\n' for n in range(40))
    pairs = "task=translation model=seq2seq task.path={place}/a.gz task.target_path={place}/b.txt"
    series = "task=series task.path={place}/a.csv task.date_column=date task.lookback=4 task.horizon=1"
    video = "task=moving_mnist model=convlstm task.path={place}/a.npz task.frames_in=2 task.frames_out=1"
    return [
        ("a.tsv", tsv.encode(), "task=sentiment task.path={place}/a.tsv"),
        ("a.jsonl", jsonl.encode(), "task=sentiment task.path={place}/a.jsonl"),
        ("a.txt", tsv.encode() * 5, "task=text task.path={place}/a.txt task.steps=8"),
        ("a.csv", rows.encode(), series),
        ("a.conll", conll.encode(), "task=ner model=bilstm task.path={place}/a.conll"),
        ("a.gz", gzip.compress(lines), pairs),
        ("b.txt", lines, pairs),
        ("a.npz", films.getvalue(), video),
        ("a.flac", wave.getvalue(), "task=speech task.path={place}/list.csv"),
        ("list.csv", manifest.encode(), "task=speech task.path={place}/list.csv"),
    ]
