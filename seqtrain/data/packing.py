"""A zip that is packed here from the members of a downloaded one, for data that nobody serves as a single file."""

import hashlib
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

WHAT_BAD_ZIPS_RAISE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)
"""Damaged, truncated, of an unknown compression, encrypted, or with names that can't be decoded."""


class BadArchiveError(Exception):
    """A downloaded zip that does not hold what is wanted from it; the message says why."""


@dataclass(frozen=True)
class Packing:
    """Which members of the downloaded zip are kept; nothing is ever unpacked to the disk.

    A zip that is made on demand has no bytes to pin, so size and sha256 are those of the members.

    Attributes:
        folder: Members right in this folder are kept, wherever in one top folder of the zip it lies.
        suffix: Of their names.
        count: How many there are.
        limit_bytes: The longest zip that is downloaded.
    """

    folder: str
    suffix: str
    count: int
    limit_bytes: int

    def size(self, path: Path) -> int:
        """The bytes of all members when unpacked, by the zip's directory; 0 for what is no zip."""
        try:
            with zipfile.ZipFile(path) as archive:
                return sum(member.file_size for member in self._members(archive).values())
        except WHAT_BAD_ZIPS_RAISE:
            return 0

    def sha256(self, path: Path) -> str:
        """The hash of every member's name, size and bytes, by name; the empty word for what can't be read."""
        digest = hashlib.sha256()
        try:
            with zipfile.ZipFile(path) as archive:
                for name, member in self._members(archive).items():
                    content = self._content(archive, member)
                    digest.update(f"{name}\0{len(content)}\0".encode())
                    digest.update(content)
        except WHAT_BAD_ZIPS_RAISE:
            return ""
        return digest.hexdigest()

    def repack(self, downloaded: Path, target: Path, size_bytes: int) -> None:
        """Writes the members into a new zip, the same bytes on every machine: stored, by name, without dates.

        Args:
            downloaded: The zip as it came.
            target: The zip to write.
            size_bytes: What the members must come to when unpacked; checked before any is.

        Raises:
            BadArchiveError: If the zip can't be read, or holds more or less than that.
        """
        try:
            with zipfile.ZipFile(downloaded) as archive, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as packed:
                members = self._members(archive)
                found = sum(member.file_size for member in members.values())
                if (len(members), found) != (self.count, size_bytes):
                    raise BadArchiveError(
                        f"expected {self.count:,} files {self.folder}/*{self.suffix} of {size_bytes:,} bytes, "
                        f"{len(members):,} of {found:,} bytes came"
                    )
                for name, member in members.items():
                    # zipfile reads no more than the size that the directory names, and checks the CRC.
                    packed.writestr(header(name), self._content(archive, member))
        except WHAT_BAD_ZIPS_RAISE as error:
            raise BadArchiveError(f"no zip that can be read came ({error})") from error

    @staticmethod
    def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
        try:
            return archive.read(member)
        except OSError as error:  # the directory tells of a place before the file's beginning
            raise zipfile.BadZipFile(str(error)) from error

    def _members(self, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
        """The members to keep, by name without the top folder, sorted."""
        kept: dict[str, zipfile.ZipInfo] = {}
        for member in archive.infolist():
            path = PurePosixPath(member.filename)
            folders = path.parts[:-1]
            if folders[-1:] == (self.folder,) and len(folders) <= 2 and path.suffix == self.suffix:
                kept[f"{self.folder}/{path.name}"] = member
        return dict(sorted(kept.items()))


def header(name: str) -> zipfile.ZipInfo:
    """What a zip says of a member, alike on every system."""
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, 0o644 << 16
    return info
