import json

import pytest

from whygrad.training import read_metrics

WILD = (
    "train",
    "--epochs",
    "3",
    "--batch-size",
    "128",
    "--learning-rate",
    "1000",
    "--schedule",
    "constant",
    "--no-check",
)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """Return the directory of a run that the monitor has stopped, and what was said."""
    import os
    import subprocess
    import sys

    path = tmp_path_factory.mktemp("stopped")
    command = [sys.executable, "-m", "whygrad", *WILD, "--watch", "--out", "run"]
    done = subprocess.run(command, cwd=path, env=os.environ | {"NO_COLOR": "1"}, capture_output=True, text=True)  # noqa: PLW1510
    return path, done


def test_a_run_that_is_lost_ends_with_one_sentence(stopped):
    path, done = stopped
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "a run that can still learn, received " in done.stderr
    assert "whygrad train --resume run --learning-rate, and a lower one" in done.stderr
    why = json.loads((path / "run/stopped.json").read_text())
    assert why["reason"] in done.stderr
    assert json.loads((path / "run/config.json").read_text())["watch"] is True


def test_info_says_why_it_was_stopped(stopped, whygrad):
    path, _ = stopped
    why = json.loads((path / "run/stopped.json").read_text())
    assert f"stopped at step {why['step']}:" in whygrad("info", path / "run").out
    assert json.loads(whygrad("info", path / "run", "--json").out)["stopped"] == why


def test_it_goes_on_with_a_lower_learning_rate(stopped, whygrad):
    path, _ = stopped
    result = whygrad("train", "--resume", path / "run", "--learning-rate", "0.03", "--no-check")
    assert result.code == 0, result.err
    assert not (path / "run/stopped.json").exists()
    config = json.loads((path / "run/config.json").read_text())
    assert config["recipe"]["learning_rate"] == 0.03
    assert config["earlier_learning_rates"] == [1000.0]
    records = read_metrics(path / "run/metrics.jsonl")
    assert {record["learning_rate"] for record in records} == {0.03}
    assert any("watched_loss" in record for record in records)  # it remembers that it is watched
    assert records[-1]["epoch_accuracy"] > 0.5
    assert "finished" in whygrad("info", path / "run").out


def test_another_learning_rate_is_only_for_runs_that_were_stopped(whygrad, trained):
    result = whygrad("train", "--resume", trained, "--learning-rate", "0.03")
    assert result.code == 2
    assert "--resume: expected another learning rate for a run that was stopped" in result.err


def test_watching_changes_nothing_else(whygrad, tmp_path):
    short = ("train", "--epochs", "2", "--batch-size", "64", "--no-check")
    assert whygrad(*short, "--out", "alone").code == 0
    assert whygrad(*short, "--out", "watched", "--watch").code == 0
    alone, watched = ((tmp_path / name) for name in ("alone", "watched"))
    assert (alone / "model.safetensors").read_bytes() == (watched / "model.safetensors").read_bytes()
    assert "watch" not in json.loads((alone / "config.json").read_text())
    looks = [record for record in read_metrics(watched / "metrics.jsonl") if "watched_loss" in record]
    assert looks
    assert not any("watched_loss" in record for record in read_metrics(alone / "metrics.jsonl"))


def test_a_resumed_run_can_do_without_the_monitor(whygrad, tmp_path):
    result = whygrad(*WILD, "--watch", "--out", "run")
    assert result.code == 1
    result = whygrad("train", "--resume", "run", "--no-watch", "--no-check")
    assert result.code == 1
    assert "a run that can still learn" not in result.err


def test_a_damaged_note_is_refused(whygrad, tmp_path):
    assert whygrad("train", "--epochs", "1", "--batch-size", "512", "--no-check", "--out", "run").code == 0
    (tmp_path / "run/summary.json").unlink()
    (tmp_path / "run/stopped.json").write_text('{"step": "one"}')
    result = whygrad("info", "run")
    assert result.code == 1
    assert "stopped.json: expected step as int, received 'one'; delete it and resume the run" in result.err
