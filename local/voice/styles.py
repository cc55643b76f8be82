"""`python -m local.voice.styles <folder>`: fetch the style vectors (Apache-2.0) of the voices with npm.

Their checksums are compared. Without npm or network the packaged voice speaks instead,
so this exits with 0 and one line that says so.
"""

import os
import subprocess
import sys
import tarfile
import tempfile
from hashlib import sha256
from pathlib import Path

PACKAGE = "kokoro-js@1.2.1"
# The sum of the file, not of the archive: a registry may repack the same files.
SUMS = {
    "af_heart": "d583ccff3cdca2f7fae535cb998ac07e9fcb90f09737b9a41fa2734ec44a8f0b",
    "am_michael": "1d1f21dd8da39c30705cd4c75d039d265e9bc4a2a93ed09bc9e1b1225eb95ba1",
    "ef_dora": "f66ec66bd295acb18372e37008533a9a3228483ccd294e7538d5d9294ac9a532",
    "em_alex": "27809e9eafdcbcfff90a3016c697568676531de2a2c39cee29c96c7bd6b83e95",
    "af_bella": "f69d836209b78eb8c66e75e3cda491e26ea838a3674257e9d4e5703cbaf55c8b",
    "am_fenrir": "c27989f741f7ee34d273a39d8a595cc0837d35f5ced9a29b7cc162614616df43",
    "bf_emma": "669fe0647f9dd04fcab92f1439a40eeb4c8b4ab1f82e4996fe3d918ce4a63b73",
    "bm_george": "c4b235a4c1f2cd3b939fed08b899ce9385638b763f7b73a59616c4fc9bd6c9bc",
}
NOTICE = "Style vectors of Kokoro-82M from the npm package kokoro-js 1.2.1, Apache License 2.0.\n"
# 27 MB at 2 Mbit/s take less than two minutes; npm retries within that time.
DOWNLOAD_S = 180


class Unavailable(Exception):
    """The styles cannot be fetched. The message says why."""


def fetch(folder: Path) -> list[str]:
    """Fetch missing styles into the folder. Returns their names. Raises Unavailable."""
    missing = [style for style in SUMS if not _valid(folder / f"{style}.bin", style)]
    if missing:
        with tempfile.TemporaryDirectory() as scratch:
            _extract(_download(Path(scratch)), missing, folder)
    return missing


def _valid(file: Path, style: str) -> bool:
    return file.is_file() and sha256(file.read_bytes()).hexdigest() == SUMS[style]


def _download(scratch: Path) -> Path:
    command = ["npm", "pack", PACKAGE, "--silent", "--pack-destination", str(scratch)]
    try:
        done = subprocess.run(
            command, cwd=scratch, capture_output=True, text=True, timeout=DOWNLOAD_S, check=False
        )
    except FileNotFoundError:
        raise Unavailable("npm is not installed") from None
    except subprocess.TimeoutExpired:
        raise Unavailable(f"npm did not finish within {DOWNLOAD_S} s") from None
    archives = list(scratch.glob("*.tgz"))
    if done.returncode or not archives:
        raise Unavailable(
            "npm could not fetch it: " + (done.stderr.strip().splitlines() or ["no reason given"])[0]
        )
    return archives[0]


def _extract(archive: Path, missing: list[str], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as package:
        for style in missing:
            member = package.extractfile(f"package/voices/{style}.bin")
            content = member.read() if member else b""
            if sha256(content).hexdigest() != SUMS[style]:
                raise Unavailable(f"{style} in {PACKAGE} does not match its checksum")
            _replace(folder / f"{style}.bin", content)
    _replace(folder / "NOTICE", NOTICE.encode())


def _replace(file: Path, content: bytes) -> None:
    """Replace a file atomically, also with two set-ups at once."""
    partial = file.with_suffix(f".{os.getpid()}")
    partial.write_bytes(content)
    partial.replace(file)


def main() -> None:
    if len(sys.argv) != 2:
        print("usage: python -m local.voice.styles <folder>", file=sys.stderr)
        raise SystemExit(2)
    folder = Path(sys.argv[1])
    try:
        fetched = fetch(folder)
    except (Unavailable, tarfile.TarError, OSError) as error:
        print(f"voice styles: {error}; the bundled voice speaks instead")
        return
    print(f"voice styles: {', '.join(fetched) or 'all there'}")


if __name__ == "__main__":
    main()
