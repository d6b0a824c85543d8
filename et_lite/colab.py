"""What each notebook's first cell does: on Colab, add the packages that its runtime lacks.

The runtime's own packages stay as they are: another torch or numpy would break it.
"""

import re
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path

import torch

from et_lite.storage import ASSETS

BOOK = ASSETS.parent
NEEDED = BOOK / "requirements-colab.txt"


def prepare(needed: Path = NEEDED) -> str:
    """Make torch use one thread, install on Colab what is missing, and say what was done.

    CalledProcessError when pip fails; it has told why by then.
    """
    # On small products, threads wait for each other: hardly a gain on a free machine, and a
    # standstill on a busy one.
    torch.set_num_threads(1)
    if "google.colab" not in sys.modules:
        return "This is not Colab. The installed et_lite is used and nothing is fetched."
    wanted = missing(needed)
    if wanted:
        _install(wanted)
    done = f"installed {', '.join(wanted)}" if wanted else "installed nothing"
    return f"The package and the sounds are in {BOOK}; {done} and left all other packages alone."


def missing(needed: Path = NEEDED) -> list[str]:
    """The lines of a requirements file whose packages are not there, of whatever version."""
    lines = (line.split("#")[0].strip() for line in needed.read_text("utf-8").splitlines())
    return [line for line in lines if line and not _installed(re.split(r"[<>=!~ \[]", line)[0])]


def _installed(package: str) -> bool:
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False


def _install(wanted: list[str]) -> None:
    """Add packages under the constraint that every installed one keeps its version."""
    with tempfile.TemporaryDirectory() as folder:
        present = {found.metadata["Name"]: found.version for found in distributions()}
        pins = [f"{name}=={held}" for name, held in sorted(present.items()) if name]
        constraints = Path(folder) / "constraints.txt"
        constraints.write_text("\n".join(pins) + "\n", encoding="utf-8")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "-c", str(constraints)]
        subprocess.run([*command, *wanted], check=True)
