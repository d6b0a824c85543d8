"""What the tests of the corpus builder share."""

import csv
import hashlib
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

soundfile = pytest.importorskip("soundfile", reason="reading audio needs the extra 'audio'")
pytest.importorskip("soxr", reason="resampling needs the extra 'audio'")
# A script finds its neighbours this way.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))
import build_corpus  # noqa: E402
import corpus_clips  # noqa: E402, F401
import corpus_store  # noqa: E402, F401

SETS = """
[songs]
domain = "music"
split = "train"
package = "fake"
include = '/songs/'
exclude = 'skip'
licence = "CC0-1.0"
author = "A"

[bangs]
domain = "effects"
split = "train"
package = "fake"
include = '\\.zip/'
licence = "CC0-1.0"
author = "B"
"""


def wave(path: Path, seconds: float = 0.5, rate: int = 22050, seed: int = 0, channels: int = 1):
    """A short noise file."""
    noise = np.random.default_rng(seed).uniform(-0.5, 0.5, (round(seconds * rate), channels))
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, noise, rate, subtype="PCM_16")
    return noise


def add(folder: Path, root: Path, *words: str) -> int:
    """Lay out a folder."""
    given = ["--audio-dir", str(folder), "--root", str(root), "--workers", "1", *words]
    return build_corpus.main(given)


def rows(root: Path) -> list[dict[str, str]]:
    with open(root / "manifest.csv", newline="") as file:
        return list(csv.DictReader(file))


def audio(root: Path, row: dict[str, str]) -> np.ndarray:
    """The samples of a row, found as the manifest says."""
    split = "test" if row["split"] == "test" else "train"
    flat = np.load(root / "audio" / f"{row['domain']}-{split}.npy", mmap_mode="r")
    return flat[int(row["start"]) : int(row["start"]) + int(row["samples"])]


def state(root: Path) -> dict[str, tuple[int, bytes]]:
    """Time and content of every file."""
    files = [path for path in root.rglob("*") if path.is_file()]
    return {str(p): (p.stat().st_mtime_ns, p.read_bytes()) for p in files}


def build(root: Path, *words: str) -> int:
    return build_corpus.main(["--root", str(root), "--workers", "1", *words])


class Mirror:
    """Stands for the package lists and the server: one package with songs and a zip of bangs."""

    def __init__(self, folder: Path) -> None:
        tree = folder / "tree"
        share = tree / "usr/share/fake"
        for n in range(3):
            wave(share / "songs" / f"{n}.wav", seed=n)
        wave(share / "songs" / "skip.wav", seed=3)
        wave(folder / "bang.wav", seed=4)
        with zipfile.ZipFile(share / "data.zip", "w") as archive:
            archive.write(folder / "bang.wav", "deep/bang.wav")
            archive.writestr("deep/readme.txt", "no audio")
        (tree / "DEBIAN").mkdir()
        control = "Package: fake\nVersion: 1:2-3\nArchitecture: all\nMaintainer: x <x@y.z>\n"
        (tree / "DEBIAN/control").write_text(control + "Description: fake\n")
        self.deb = folder / "fake.deb"
        words = ["dpkg-deb", "--root-owner-group", "-b", str(tree), str(self.deb)]
        subprocess.run(words, check=True, capture_output=True)
        self.sha256 = hashlib.sha256(self.deb.read_bytes()).hexdigest()
        self.downloads = 0

    def record(self, package: str) -> dict[str, str]:
        return {"Version": "1:2-3", "Architecture": "all", "SHA256": self.sha256}

    def download(self, package: str, version: str, folder: Path) -> Path:
        self.downloads += 1
        return Path(shutil.copy(self.deb, folder / "fake.deb"))
