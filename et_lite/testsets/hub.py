"""Test sets that the Hugging Face Hub has, unpacked into folders as `layouts` reads them.

No network was within reach where this was written: it was tried with a stand-in for the Hub alone.
"""

import csv
import zipfile
from collections.abc import Callable
from pathlib import Path

from et_lite.storage import atomic_path

FOLDER = Path("runs/sets")
DONE = "complete"  # an empty file, written when all is unpacked


def fetch_set(name: str, folder: Path = FOLDER) -> Path:
    """The folder of a set from the Hub, fetched once.

    ValueError for a set that is not there, where huggingface_hub is missing, and where the Hub does
    not answer or asks for a token.
    """
    if name not in HUB:
        raise ValueError(f"set {name!r} is not on the Hub, which has {', '.join(HUB)}: fetch it")
    target, (repository, pattern, unpack) = folder / name, HUB[name]
    if not (target / DONE).is_file():
        fetched = _snapshot(repository, pattern)
        for file in sorted(fetched.glob(pattern)):
            unpack(file, target)
        with atomic_path(target / DONE):
            pass
    return target


def _snapshot(repository: str, pattern: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise ValueError(
            f"the Hub needs huggingface_hub ({error}): run pip install 'et-lite[stable-audio]'"
        ) from error
    try:
        return Path(snapshot_download(repository, repo_type="dataset", allow_patterns=[pattern]))
    except OSError as error:  # all of the Hub's own errors are
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ValueError(
            f"{repository} could not be fetched ({reason}): check the network and your token, or "
            "give a folder"
        ) from error


def _unzip(file: Path, target: Path) -> None:
    with zipfile.ZipFile(file) as archive:
        archive.extractall(target)


def _unpack_clips(file: Path, target: Path) -> None:
    """A Parquet shard with the columns youtube_id and audio, as `test.csv` and one file a video."""
    from pyarrow.parquet import ParquetFile

    (target / "test").mkdir(parents=True, exist_ok=True)
    table, columns = target / "test.csv", ["audiocap_id", "youtube_id"]
    with open(table, "a", newline="", encoding="utf-8") as listed:
        writer = csv.DictWriter(listed, columns, extrasaction="ignore")
        if not table.stat().st_size:
            writer.writeheader()
        # Shards hold gigabytes: a few rows at once.
        for batch in ParquetFile(file).iter_batches(16, columns=[*columns, "audio"]):
            for row in batch.to_pylist():
                writer.writerow(row)
                suffix = Path(row["audio"]["path"] or "x.wav").suffix
                with atomic_path(target / "test" / f"{row['youtube_id']}{suffix}") as temporary:
                    temporary.write_bytes(row["audio"]["bytes"])


Unpack = Callable[[Path, Path], None]
# The repository, the files in it, and how each is unpacked.
HUB: dict[str, tuple[str, str, Unpack]] = {
    "audiocaps": ("OpenSound/AudioCaps", "data/test-*.parquet", _unpack_clips),
    "muchin": ("karl-wang/MuChin1k", "MuChin-1000-mp3-audio.zip", _unzip),
}
