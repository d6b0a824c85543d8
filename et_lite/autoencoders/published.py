"""Weights that others published: where they lie, and the libraries that read them."""

import importlib
import os
from pathlib import Path
from typing import Any

FOLDER = "ET_AUTOENCODERS"  # names a folder with one folder of published files an autoencoder


def library(name: str, extra: str) -> Any:
    """An optional library. ValueError names the extra that brings it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ValueError(
            f"this autoencoder needs {name} ({error}): run pip install 'et-lite[{extra}]'"
        ) from error


def local_folder(name: str) -> Path | None:
    """The folder of an autoencoder's published files, or None to take them from the Hub.

    ValueError when ET_AUTOENCODERS names something that is not a folder.
    """
    given = os.environ.get(FOLDER)
    if not given:
        return None
    if not Path(given).is_dir():
        raise ValueError(f"{FOLDER} names {given}, which is not a folder: name one or unset it")
    folder = Path(given) / name
    return folder if folder.is_dir() else None


def fetch(repository: str, file: str, extra: str) -> Path:
    """One file of a repository on the Hugging Face Hub, from its cache where it is there.

    ValueError says what is missing: the library, a token, the accepted terms, or the network.
    """
    hub = library("huggingface_hub", extra)
    errors = library("huggingface_hub.errors", extra)
    try:
        return Path(hub.hf_hub_download(repository, file))
    except errors.GatedRepoError as error:
        raise ValueError(_gated(repository, hub.get_token())) from error
    except errors.RepositoryNotFoundError as error:
        raise ValueError(
            f"{repository} is not on the Hugging Face Hub, or your token may not see it: "
            f"check the name, or name local files with {FOLDER}"
        ) from error
    except (errors.EntryNotFoundError, errors.HfHubHTTPError, OSError) as error:
        raise ValueError(unreachable(repository, error)) from error


def _gated(repository: str, token: str | None) -> str:
    if token is None:
        return (
            f"{repository} is gated and there is no token: accept its terms on its page of the "
            "Hugging Face Hub, then run 'hf auth login' or set HF_TOKEN"
        )
    return (
        f"{repository} is gated and your token's account has not accepted its terms: accept them "
        "on its page of the Hugging Face Hub, with a token that may read gated repositories"
    )


def unreachable(repository: str, error: Exception) -> str:
    """What to say when the Hub did not answer."""
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return (
        f"{repository} could not be fetched ({reason}): check the network, or put its files into "
        f"a folder and name that with {FOLDER}"
    )
