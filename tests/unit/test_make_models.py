"""`make models`, killed wherever it happens to be and started again, ends with the same files."""

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from et_lite.storage import ASSETS

ROOT = ASSETS.parent
pytestmark = pytest.mark.skipif(
    not (ROOT / ".venv" / ".ready").exists(), reason="make models runs in .venv: make venv first"
)


def start(folder: Path) -> subprocess.Popen:
    """`make models` for two small trainings and one more seed, into `folder`."""
    latents = folder / "runs" / "latents"
    if not latents.exists():
        latents.mkdir(parents=True)
        for split in ("train", "valid"):
            shutil.copy(ASSETS / "latents" / "train.safetensors", latents / f"{split}.safetensors")
    words = {
        "RUNS": folder / "runs",
        "WEIGHTS": folder / "weights",
        "SYSTEMS": "et-dp codecslime",
        "SEEDED": "codecslime",
        "SEEDS": "1",
        "ABLATIONS": "",
        "TRAIN_FLAGS": "--steps 3",
    }
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    return subprocess.Popen(
        ["make", "--silent", "models", *(f"{name}={value}" for name, value in words.items())],
        cwd=ROOT,
        env={**plain, "OMP_NUM_THREADS": "1"},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def made(folder: Path) -> dict[str, bytes]:
    """Weights, cards and logs."""
    kinds = ("*.safetensors", "*.json", "*.csv")
    files = [file for kind in kinds for file in folder.rglob(kind)]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def test_killed_anywhere_it_ends_with_the_same_files(tmp_path) -> None:
    assert start(tmp_path / "whole").wait() == 0
    chance, kills = random.Random(0), 0
    while True:
        process = start(tmp_path / "killed")
        ends = time.monotonic() + chance.uniform(2, 10 + 4 * kills)  # it gets through at last
        while process.poll() is None and time.monotonic() < ends:
            time.sleep(0.05)
        if process.poll() is not None:
            break
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
    assert process.returncode == 0 and kills > 0
    whole, killed = made(tmp_path / "whole"), made(tmp_path / "killed")
    assert sorted(whole) == sorted(killed) and len(whole) >= 3 * 4
    assert [name for name in whole if whole[name] != killed[name]] == []
