"""The files of a data set: there already, or downloaded, checked and put in place."""

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seqtrain.data.datasets import DATASETS, DataSet, RemoteFile
from seqtrain.data.disk import locked, reason, sync
from seqtrain.data.download import (
    Connection,
    TransferError,
    UnreachableError,
    Wanted,
    WrongContentError,
    download,
    size_of,
)
from seqtrain.data.meter import Meter
from seqtrain.data.packing import BadArchiveError
from seqtrain.errors import DataError

OFFLINE = "SEQTRAIN_OFFLINE"
"""The environment variable that forbids every download; 0 and nothing allow it."""

HTTPS = Connection()


def obtain(name: str, data_dir: Path, connection: Connection = HTTPS) -> Path:
    """The folder of a data set, with all its files; those that are missing are downloaded first.

    Files that are there are checked by size only; `verify` reads them. Several processes may ask at
    once: one downloads, the others wait. A download that was cut off is continued.

    Args:
        name: One of DATASETS.
        data_dir: The folder that holds one folder for each set.
        connection: How servers are spoken to.

    Raises:
        DataError: If a file is there with the wrong size, or can't be downloaded or written. Without a
            connection the error names every missing file, its URL, and where it goes.
    """
    data_set, folder = DATASETS[name], data_dir / name
    missing = missing_files(data_set, data_dir)
    if not missing:
        return folder
    if os.environ.get(OFFLINE, "0") not in ("", "0"):
        raise DataError(by_hand(data_set, data_dir, f"{OFFLINE} is set"))
    with Meter() as meter:
        for file in missing:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                fetch(data_set, file, data_dir, connection, meter)
            except UnreachableError as error:
                raise DataError(by_hand(data_set, data_dir, str(error))) from error
            except OSError as error:
                raise DataError(
                    f"{folder / file.name}: can't be written ({reason(error)}); make room or get leave there, "
                    "or say with data_dir=... or $SEQTRAIN_DATA where else data may lie"
                ) from error
    return folder


def is_present(name: str, data_dir: Path) -> bool:
    """Whether every file of a data set is there, with the right size."""
    try:
        return not missing_files(DATASETS[name], data_dir)
    except DataError:
        return False


def verify(name: str, data_dir: Path) -> None:
    """Reads every file of a data set that is there.

    Raises:
        DataError: If the content of any isn't that of the set.
    """
    for file in DATASETS[name].files:
        path = data_dir / name / file.name
        if not path.is_file():
            continue
        with readable(path):
            found = file.sha256_of(path)
        if found != file.sha256:
            raise DataError(f"{path}: its content is not that of {name} (sha256 {file.sha256}); {remedy(name)}")


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turns what the disk refuses of a file that is there into one line."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{path}: can't be read ({reason(error)})") from error


def missing_files(data_set: DataSet, data_dir: Path) -> list[RemoteFile]:
    """The files that are not there.

    Raises:
        DataError: If one is there with the wrong size.
    """
    return [file for file in data_set.files if not is_there(data_set, file, data_dir)]


def is_there(data_set: DataSet, file: RemoteFile, data_dir: Path) -> bool:
    """Whether a file is there.

    Raises:
        DataError: If it is, with the wrong size.
    """
    path = data_dir / data_set.name / file.name
    if not path.is_file():
        return False
    with readable(path):
        found = file.size_of(path)
    if found != file.size_bytes:
        inside = f" of {file.packing.folder}/*{file.packing.suffix}" if file.packing else ""
        raise DataError(
            f"{path}: {found:,} bytes{inside}, but in {data_set.name} it has {file.size_bytes:,}; "
            f"{remedy(data_set.name)}"
        )
    return True


def fetch(data_set: DataSet, file: RemoteFile, data_dir: Path, connection: Connection, meter: Meter) -> None:
    """Downloads one file from the first of its URLs that serves it, unless another process just did.

    Raises:
        UnreachableError: If no server can be reached.
        DataError: If none serves it.
        OSError: If it can't be written.
    """
    path = data_dir / data_set.name / file.name
    shown = f"{data_set.name}/{file.name}"
    with locked(path, lambda: meter.say(f"waiting for another process that downloads {shown}")):
        if is_there(data_set, file, data_dir):
            return
        failures: list[TransferError] = []
        for url in file.urls:
            meter.begin(shown, None if file.packing else file.size_bytes, url)
            try:
                fetch_from(url, file, path, connection, meter)
                return
            except TransferError as error:
                failures.append(error)
        if all(isinstance(error, UnreachableError) for error in failures):
            raise failures[0]
        causes = "; ".join(f"{url}: {error}" for url, error in zip(file.urls, failures, strict=True))
        raise DataError(f"{path}: can't be downloaded: {causes}; try again later, or put the file there by hand")


def fetch_from(url: str, file: RemoteFile, path: Path, connection: Connection, meter: Meter) -> None:
    """Downloads one file from one URL, and puts it in place if it is what it must be.

    Raises:
        TransferError: If it isn't, or doesn't come.
        OSError: If it can't be written.
    """
    part = path.with_name(path.name + ".part")
    packed = path.with_name(path.name + ".packed")
    size, limit = (None, file.packing.limit_bytes) if file.packing else (file.size_bytes, 0)
    resumed = size_of(part) > 0
    try:
        download(Wanted(url, part, size, limit), connection, meter)
        ready = checked(file, part, packed)
        sync(ready)
        ready.replace(path)
        sync(path.parent)
        part.unlink(missing_ok=True)
    except WrongContentError:
        part.unlink(missing_ok=True)
        if not resumed:
            raise
        # What was there before, perhaps since a machine stopped, may be what is wrong.
        fetch_from(url, file, path, connection, meter)
    finally:
        packed.unlink(missing_ok=True)


def checked(file: RemoteFile, part: Path, packed: Path) -> Path:
    """The file to put in place: the downloaded one, or what is packed from it.

    Raises:
        WrongContentError: If it is not the file.
    """
    ready = part
    if file.packing is not None:
        ready = packed
        try:
            file.packing.repack(part, packed, file.size_bytes)
        except BadArchiveError as error:
            raise WrongContentError(str(error)) from error
    came = file.sha256_of(ready)
    if came != file.sha256:
        raise WrongContentError(f"expected sha256 {file.sha256}, {came} came")
    return ready


def by_hand(data_set: DataSet, data_dir: Path, why: str) -> str:
    """What to do without a connection: every missing file, its URL, and where it goes."""
    missing = missing_files(data_set, data_dir)
    named = ", ".join(f"{data_dir / data_set.name / file.name} (from {origin(file)})" for file in missing)
    return (
        f"no such file: {named}; {why}, so put the files there by hand, or later run "
        f"`seqtrain data fetch {data_set.name} --data-dir {shlex.quote(str(data_dir))}`, "
        f"or say with data_dir=... or $SEQTRAIN_DATA where {data_set.name}/ lies"
    )


def origin(file: RemoteFile) -> str:
    """Where a file comes from, for a person who gets it by hand."""
    packed = f", of which {file.packing.folder}/*{file.packing.suffix} in one zip" if file.packing else ""
    return file.urls[0] + packed


def remedy(name: str) -> str:
    """What to do about a file that is not the one of its set."""
    return (
        f"delete it, and `seqtrain data fetch {name}` downloads it anew, "
        f"or say with data_dir=... or $SEQTRAIN_DATA where the real {name}/ lies"
    )
