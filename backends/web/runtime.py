"""The two files of onnxruntime-web: from a folder that is given, or fetched once with npm."""

from __future__ import annotations

import hashlib
import subprocess
import tarfile
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory

from auxnas.backends.base import BackendUnavailable
from auxnas.backends.caching import cache_dir, make_private
from auxnas.backends.web import BINARY, SCRIPT
from auxnas.compiler import CompilerError
from auxnas.compiler.files import atomic_write

PACKAGE, VERSION = "onnxruntime-web", "1.30.0"
"""Of npm; MIT licence."""
DIGESTS = {
    SCRIPT: "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
    BINARY: "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}
"""SHA-256 of those that are fetched."""
_SECONDS = 600
"""That npm may take."""
_GIVEN = f"a folder with {SCRIPT} and {BINARY}"
_INSTEAD = f"--web-runtime DIR, {_GIVEN}"


class RuntimeUnavailable(BackendUnavailable):
    """There is no onnxruntime-web here, and it cannot be fetched."""

    def __init__(self, found: str) -> None:
        RuntimeError.__init__(self, f"web: {found}, expected {_INSTEAD}")


def runtime_files(given: Path | None = None) -> dict[str, bytes]:
    """The files' contents by name.

    Args:
        given: folder that has them, or whose ``dist`` has; None for those in the cache, which
            npm fetches into it the first time.

    Raises:
        CompilerError: for a folder that has them not.
        RuntimeUnavailable: where they cannot be fetched.
        OSError: when they cannot be read, or kept.
    """
    if given is not None:
        return _given(given)
    folder = cache_dir() / f"{PACKAGE}-{VERSION}"
    try:
        kept = {name: (folder / name).read_bytes() for name in DIGESTS}
    except FileNotFoundError:
        kept = {}
    if _are_right(kept):
        return kept
    fetched = _fetched()
    make_private(folder)
    for name, content in fetched.items():
        with atomic_write(folder / name) as temporary:
            temporary.write_bytes(content)
    return fetched


def _given(folder: Path) -> dict[str, bytes]:
    found = {}
    for name in DIGESTS:
        places = [each for each in (folder / name, folder / "dist" / name) if each.is_file()]
        if not places:
            raise CompilerError(f"--web-runtime {folder}", f"no {name} in it", _GIVEN)
        found[name] = places[0].read_bytes()
    return found


def _are_right(files: dict[str, bytes]) -> bool:
    return {name: hashlib.sha256(data).hexdigest() for name, data in files.items()} == DIGESTS


def _fetched() -> dict[str, bytes]:
    """The files of the package of npm's registry."""
    with TemporaryDirectory() as folder:
        _pack(folder)
        archives = list(Path(folder).glob("*.tgz"))
        try:
            with tarfile.open(archives[0]) as archive:
                found = {name: _member(archive, f"package/dist/{name}") for name in DIGESTS}
        except (IndexError, KeyError, tarfile.TarError, zlib.error, EOFError) as error:
            raise RuntimeUnavailable(f"npm gave no whole {PACKAGE}@{VERSION}") from error
    if not _are_right(found):
        raise RuntimeUnavailable(f"npm gave another {PACKAGE}@{VERSION} than is known")
    return found


def _pack(folder: str) -> None:
    words = ["npm", "pack", f"{PACKAGE}@{VERSION}", "--silent", "--pack-destination", folder]
    try:
        done = subprocess.run(
            words, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except FileNotFoundError:
        raise RuntimeUnavailable(f"no npm here to fetch {PACKAGE} with") from None
    except subprocess.TimeoutExpired:
        raise RuntimeUnavailable(f"npm took more than {_SECONDS} s to fetch {PACKAGE}") from None
    if done.returncode:
        said = " ".join(done.stderr.split())[:200] or f"exit status {done.returncode}"
        raise RuntimeUnavailable(f"npm cannot fetch {PACKAGE}@{VERSION} ({said})")


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    if file is None:
        raise KeyError(name)
    with file:
        return file.read()
