"""Kept results: computed once, and anew when anything behind them changes."""

import json
from pathlib import Path

import pytest
import torch

from et_lite import cache
from et_lite.autoencoders import fingerprint
from et_lite.cache import code_hash, completed, remembered, version_of


def test_what_is_there_is_not_computed_again(tmp_path) -> None:
    file, calls = tmp_path / "deep" / "one.json", []

    def compute() -> dict[str, float]:
        calls.append(1)
        return {"value": 0.1 + 0.2}

    assert remembered(file, compute) == remembered(file, compute) == {"value": 0.1 + 0.2}
    assert len(calls) == 1 and json.loads(file.read_text()) == {"value": 0.1 + 0.2}


def test_only_missing_values_are_asked_for_and_older_ones_stay(tmp_path) -> None:
    file, asked = tmp_path / "crop.json", []

    def compute(names: list[str]) -> dict[str, str]:
        asked.append(names)
        return {name: name.upper() for name in names}

    assert completed(file, ["a", "b"], compute) == {"a": "A", "b": "B"}
    assert completed(file, ["c", "a"], compute) == {"c": "C", "a": "A"}
    assert completed(file, ["b"], compute) == {"b": "B"}
    assert asked == [["a", "b"], ["c"]]
    assert json.loads(file.read_text()) == {"a": "A", "b": "B", "c": "C"}


def test_a_failure_leaves_the_file_as_it_was(tmp_path) -> None:
    file = tmp_path / "crop.json"
    completed(file, ["a"], lambda names: {"a": 1})

    def fail(names: list[str]) -> dict[str, int]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        completed(file, ["a", "b"], fail)
    assert json.loads(file.read_text()) == {"a": 1}
    assert [found.name for found in tmp_path.iterdir()] == ["crop.json"]


def test_versions_do_not_run_into_each_other() -> None:
    assert version_of("a", "b") == version_of("a", "b")
    assert (
        len({version_of("a", "b"), version_of("ab"), version_of("a b"), version_of("b", "a")}) == 4
    )


def test_another_decoder_is_another_autoencoder(random_codec) -> None:
    autoencoder = random_codec.autoencoder
    before = fingerprint(autoencoder)
    assert before == fingerprint(autoencoder)
    autoencoder.extra = torch.nn.Linear(2, 2)
    try:
        assert fingerprint(autoencoder) != before
    finally:
        del autoencoder.extra


@pytest.fixture
def package(tmp_path, monkeypatch) -> Path:
    """A package of four modules: `top` needs `folder` and, inside a function, `low`."""
    (tmp_path / "folder").mkdir()
    files = {
        "top.py": "from et_lite.folder.part import f\n\ndef g():\n    from et_lite import low\n",
        "folder/__init__.py": "",
        "folder/part.py": '"""Words."""\n\ndef f():\n    """More words."""\n    return 1  # why\n',
        "low.py": "x = 1\n",
        "other.py": "y = 1\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(cache, "PACKAGE", tmp_path)
    return tmp_path


def test_code_that_is_needed_counts_and_words_about_it_do_not(package) -> None:
    def changed(name: str, text: str) -> bool:
        before = code_hash("top")
        (package / name).write_text(text)
        return code_hash("top") != before

    assert not changed("other.py", "y = 2\n")
    assert not changed("folder/part.py", '"""New."""\ndef f():\n    "New."\n    return (1)\n')
    assert changed("folder/part.py", "def f():\n    return 2\n")
    assert changed("low.py", "x = 2\n")
    assert changed("folder/__init__.py", "z = 1\n")


def test_files_outside_the_package_have_roots_too(package, tmp_path) -> None:
    script = tmp_path / "script"
    script.write_text("from et_lite.low import x\n")
    before = code_hash(script)
    (package / "low.py").write_text("x = 3\n")
    assert code_hash(script) != before != code_hash("low")


def test_a_module_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match="no module 'nowhere'"):
        code_hash("nowhere")
