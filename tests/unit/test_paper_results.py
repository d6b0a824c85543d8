"""Table 1 and Figure 2 from tables in the format of `et-lite evaluate`."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scripts import paper_results

METRICS = {"mel_distance": 1.0, "stft_distance": 1.5, "si_sdr": 3.0}
OWN = {"et-greedy@0.5": "greedy", "et-greedy": "greedy", "codecslime": "codecslime"}


def rows() -> pd.DataFrame:
    """Values that tell their system, fraction and metric, and do not end in a five."""
    found = []
    for place, (system, solver) in enumerate(OWN.items()):
        for keep in (0.5,) if "@" in system else (0.5, 0.75):
            for domain in ("song-describer", "audiocaps", "daps", "muchin"):
                for metric, base in METRICS.items():
                    mean = base + 0.1 * place + keep / 100 + 0.001
                    head = {"system": system, "keep": keep, "domain": domain, "metric": metric}
                    ends = {"mean": mean, "low": mean - 0.01, "high": mean + 0.01}
                    found += [
                        {**head, "solver": solver, **ends},
                        {**head, "solver": "random", **dict.fromkeys(ends, 9.0)},
                    ]
    for metric, base in METRICS.items():
        alone = {"system": "autoencoder", "solver": "none", "keep": 1.0, "domain": "muchin"}
        found.append({**alone, "metric": metric, "mean": base / 2, "low": 0, "high": 1})
    return pd.DataFrame(found)


def test_the_table_has_each_system_with_its_own_choice() -> None:
    lines = paper_results.table(rows()).splitlines()
    assert lines[0] == "| system | 0.5 | 0.75 |"
    assert lines[2:] == [
        "| et-greedy | 1.11 / 1.61 / 3.1 | 1.11 / 1.61 / 3.1 |",
        "| et-greedy@0.5 | 1.01 / 1.51 / 3.0 | – |",
        "| codecslime | 1.21 / 1.71 / 3.2 | 1.21 / 1.71 / 3.2 |",
        "| autoencoder | 0.50 / 0.75 / 1.5 with all frames, no Re-Bottleneck | – |",
    ]


def test_what_is_not_reached_is_a_dash() -> None:
    found = rows()
    found.loc[(found.system == "codecslime") & (found.keep == 0.75), "mean"] = np.nan
    assert paper_results.table(found).splitlines()[4].endswith("| – |")


def test_curves_are_those_of_the_three_sets() -> None:
    found = paper_results.curves(rows()[lambda r: r.metric == "mel_distance"], "mean")
    assert list(found) == ["SongDescriber", "AudioCaps", "DAPS"]
    assert set(found["DAPS"]) == set(OWN)
    keep, mean, low, high = found["DAPS"]["et-greedy"]
    assert list(keep) == [0.5, 0.75] and list(mean) == pytest.approx([1.106, 1.1085])
    assert (np.array(high) - np.array(low)).tolist() == pytest.approx([0.02, 0.02])
    assert len(found["DAPS"]["et-greedy@0.5"][0]) == 1
    axes = paper_results.figure(found, "mel distance").axes
    assert [axis.get_title(loc="left") for axis in axes] == list(found)
    assert {line.get_label() for line in axes[0].lines} == set(OWN)


def run(monkeypatch, stem: Path) -> None:
    monkeypatch.setattr(sys, "argv", ["paper_results.py", str(stem)])
    assert paper_results.main() == 0


def test_the_command_prints_and_draws(tmp_path, monkeypatch, capsys) -> None:
    table = rows()
    table.to_csv(tmp_path / "a.csv", index=False)
    fad = table[table.metric == "mel_distance"].rename(columns={"mean": "fad"})
    fad.to_csv(tmp_path / "a_fad.csv", index=False)
    run(monkeypatch, tmp_path / "a")
    assert capsys.readouterr().out.startswith("| system | 0.5 | 0.75 |")
    for name in ("mel", "fad"):
        assert (tmp_path / f"a_figure2_{name}.png").read_bytes().startswith(b"\x89PNG")


def test_sets_that_were_not_measured_are_left_out(tmp_path, monkeypatch, capsys) -> None:
    table = rows()
    table[table.domain == "muchin"].to_csv(tmp_path / "a.csv", index=False)
    run(monkeypatch, tmp_path / "a")
    assert "et-greedy" in capsys.readouterr().out
    assert [file.name for file in tmp_path.iterdir()] == ["a.csv"]
    table[table.domain == "daps"].to_csv(tmp_path / "a.csv", index=False)
    table[:0].rename(columns={"mean": "fad"}).to_csv(tmp_path / "a_fad.csv", index=False)
    run(monkeypatch, tmp_path / "a")
    assert capsys.readouterr().out == ""
    assert (tmp_path / "a_figure2_mel.png").is_file()
    assert not (tmp_path / "a_figure2_fad.png").exists()  # no set had two windows


def test_models_of_other_names_are_told(tmp_path, monkeypatch, capsys) -> None:
    rows().assign(system="mine").to_csv(tmp_path / "a.csv", index=False)
    monkeypatch.setattr(sys, "argv", ["paper_results.py", str(tmp_path / "a")])
    assert paper_results.main() == 2
    assert "has 0 systems of the paper among mine" in capsys.readouterr().err
