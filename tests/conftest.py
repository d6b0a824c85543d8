"""What every test shares."""

from pathlib import Path

import pytest
from hypothesis import settings

# The first call of a compiled kernel takes seconds, which is no reason to fail; and CI must find
# tomorrow what it found today.
settings.register_profile("book", deadline=None, derandomize=True)
settings.load_profile("book")


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's folder."""
    return Path(__file__).resolve().parent.parent
