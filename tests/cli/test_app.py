import json
import shutil
import subprocess
import sys

import pytest

import whygrad as package


@pytest.mark.parametrize("command", ["train", "predict", "evaluate", "info"])
def test_every_command_has_help_with_an_example(whygrad, command):
    result = whygrad(command, "--help")
    assert result.code == 0
    assert f"Example: whygrad {command}" in result.out


def test_the_version_is_printed(whygrad):
    assert whygrad("--version").out == f"whygrad {package.__version__}\n"


@pytest.mark.parametrize("arguments", [["fly"], ["predict"], ["info"]])
def test_wrong_usage_is_exit_code_2(whygrad, arguments):
    result = whygrad(*arguments)
    assert result.code == 2
    assert result.err.startswith("whygrad: ")
    assert result.err.count("\n") == 1
    assert "Traceback" not in result.err


def run(command, cwd, environment):
    return subprocess.run(
        ["bash", "-c", command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


WHYGRAD = f"{sys.executable} -m whygrad"


@pytest.mark.parametrize("command", ["info", "evaluate"])
def test_a_closed_output_is_no_error(environment, tmp_path, trained, command):
    done = run(f"{WHYGRAD} {command} {trained} >&-", tmp_path, environment)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_full_disk_behind_the_output_is_one_line(environment, tmp_path, trained):
    done = run(f"{WHYGRAD} info {trained} > /dev/full", tmp_path, environment)
    assert done.returncode == 1
    assert done.stderr == "whygrad: expected access to a file, received No space left on device; check the path\n"


def test_an_output_without_unicode_gets_plain_letters(environment, tmp_path, trained):
    done = run(f"{WHYGRAD} evaluate {trained}", tmp_path, environment | {"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0
    assert " . " in done.stdout


@pytest.mark.parametrize("name", ["br[/]x", ":cat:[red]z", "a b", "m\udcff"])
def test_a_directory_may_have_any_name(whygrad, name):
    assert whygrad("train", "--epochs", 1, "--batch-size", 512, "--out", name).code == 0
    result = whygrad("info", name)
    assert result.code == 0
    assert result.out.startswith(name[0])


def test_a_name_too_long_is_one_line(whygrad):
    result = whygrad("info", "a" * 300)
    assert result.code == 1
    assert "received File name too long; check the path" in result.err
    assert result.err.count("\n") == 1


@pytest.mark.parametrize(
    "summary", ["{}", "null", "[]", '{"test_accuracy": "x", "seconds": 1, "epochs": 1}', "\x00\xff"]
)
@pytest.mark.parametrize("command", [["info"], ["train", "--resume"]])
def test_a_damaged_summary_is_one_line(whygrad, trained, tmp_path, command, summary):
    shutil.copytree(trained, tmp_path / "run")
    (tmp_path / "run/summary.json").write_text(summary, encoding="utf-8")
    result = whygrad(*command, "run")
    assert result.code == 1
    assert "summary.json: expected" in result.err
    assert result.err.count("\n") == 1


@pytest.mark.parametrize(
    "line", ['{"step": 9, "epoch": 1, "loss": "x"}', '{"step": 9}', "[" * 100_000, "[1]", '{"step": true}']
)
def test_a_damaged_line_of_the_metrics_is_left_out(whygrad, trained, tmp_path, line):
    shutil.copytree(trained, tmp_path / "run")
    with (tmp_path / "run/metrics.jsonl").open("a") as file:
        file.write(line + "\n")
    result = whygrad("info", "run", "--json")
    assert result.code == 0, result.err
    assert json.loads(result.out)["steps"] == 180


def test_a_stray_file_is_not_taken_for_a_checkpoint(whygrad, trained, tmp_path):
    shutil.copytree(trained, tmp_path / "run")
    (tmp_path / "run/checkpoints/step-99999999").write_text("stray")
    assert whygrad("evaluate", "run").code == 0
