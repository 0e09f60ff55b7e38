import json
import random
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from rich.console import Console

from whygrad.cli.train import _check_gradients
from whygrad.data import load_digits
from whygrad.errors import GradientError
from whygrad.losses import cross_entropy
from whygrad.models import digits_cnn
from whygrad.training import read_metrics

SHORT = ("train", "--epochs", "3", "--batch-size", "256")


def test_training_prints_what_a_person_wants_to_know(whygrad, tmp_path):
    result = whygrad(*SHORT)
    assert result.code == 0, result.err
    assert result.err == ""
    for text in (
        "digits: 1438 training images, 359 test images, 1x8x8, 10 classes",
        "digits_cnn: 9,978 parameters",
        "gradients: 9,978 checked along random directions, all right (known to ",
        "test accuracy ",
        "true 0 1 2 3 4 5 6 7 8 9 right",
        "The run is in runs/digits-1. What to try next:",
        "whygrad predict runs/digits-1 IMAGE.png",
    ):
        assert text in " ".join(result.out.split())
    assert (tmp_path / "runs/digits-1/model.safetensors").is_file()


def test_json_is_one_object_and_nothing_else_on_standard_output(whygrad, tmp_path):
    result = whygrad(*SHORT, "--json", "--out", "mine")
    assert result.code == 0, result.err
    summary = json.loads(result.out)
    assert result.out.count("\n") == 1
    assert set(summary) >= {"test_accuracy", "train_loss", "epochs", "seconds", "parameters", "run_dir"}
    assert summary["run_dir"] == "mine"
    assert summary == json.loads((tmp_path / "mine/summary.json").read_text())


def test_two_runs_with_one_seed_are_identical(whygrad, tmp_path):
    for name in ("a", "b"):
        assert whygrad(*SHORT, "--seed", 5, "--out", name).code == 0
    for file in ("model.safetensors", "metrics.jsonl", "config.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    assert whygrad(*SHORT, "--seed", 6, "--out", "c").code == 0
    assert (tmp_path / "a/model.safetensors").read_bytes() != (tmp_path / "c/model.safetensors").read_bytes()


def start(environment, cwd, *arguments):
    command = [sys.executable, "-m", "whygrad", *arguments]
    return subprocess.Popen(
        command,
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell starts what it puts in the background with Ctrl-C ignored; a person's terminal does not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
    )


LONG = ("train", "--epochs", "40", "--batch-size", "64", "--out", "run")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """Return the run that every interrupted one must equal, and how long it took."""
    path = tmp_path_factory.mktemp("uninterrupted")
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "whygrad", *LONG], cwd=path, check=True, capture_output=True)
    return path / "run", time.perf_counter() - started


def assert_equal_runs(path, wanted):
    for file in ("model.safetensors", "metrics.jsonl", "config.json"):
        assert (path / file).read_bytes() == (wanted / file).read_bytes(), file
    last = sorted(p.name for p in (wanted / "checkpoints").iterdir())[-1]
    for file in ("arrays.safetensors", "state.json"):
        assert (path / "checkpoints" / last / file).read_bytes() == (
            wanted / "checkpoints" / last / file
        ).read_bytes()


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3, 4))])
def test_a_run_killed_at_random_moments_ends_like_one_that_was_not(
    whygrad, environment, tmp_path, uninterrupted, seed
):
    wanted, seconds = uninterrupted
    moments = random.Random(seed)
    process = start(environment, tmp_path, *LONG)
    kills = 0
    for _ in range(3):  # kill it, and kill what resumes it
        time.sleep(moments.uniform(0.2, 0.6 * seconds))
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
        process.communicate()
        if not (tmp_path / "run").exists():  # killed before there was a run: nothing to resume, nothing left
            process = start(environment, tmp_path, *LONG)
        else:
            process = start(environment, tmp_path, "train", "--resume", "run")
    process.communicate()
    assert process.returncode == 0
    assert kills
    result = whygrad("train", "--resume", "run")
    assert result.code == 0
    assert "run is finished: test accuracy" in result.out
    assert_equal_runs(tmp_path / "run", wanted)


def test_ctrl_c_ends_cleanly_and_says_how_to_go_on(whygrad, environment, tmp_path, uninterrupted):
    wanted, _ = uninterrupted
    process = start(environment, tmp_path, *LONG)
    metrics = tmp_path / "run/metrics.jsonl"
    deadline = time.monotonic() + 60
    while len(read_metrics(metrics)) < 40 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == "whygrad: interrupted; continue with: whygrad train --resume run\n"
    steps = read_metrics(metrics)[-1]["step"]
    assert (tmp_path / f"run/checkpoints/step-{steps:08d}").is_dir()
    assert "unfinished, after" in whygrad("info", "run").out
    assert whygrad("train", "--resume", "run").code == 0
    assert_equal_runs(tmp_path / "run", wanted)


def test_a_finished_run_is_not_trained_again(whygrad, trained):
    before = (trained / "model.safetensors").stat().st_mtime_ns
    result = whygrad("train", "--resume", trained, "--json")
    assert json.loads(result.out)["epochs"] == 4
    assert (trained / "model.safetensors").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["cats"],
            "data: expected one of digits, mnist, fashion-mnist, kmnist, cifar10, or a folder of images, an .npz",
        ),
        (["--model", "alexnet"], "model: expected one of compact_cnn, digits_cnn, lenet5"),
        (["--epochs", "0"], "recipe: expected epochs to be a whole number of at least 1, received 0"),
        (["--epochs", "many"], "Invalid value for '--epochs'"),
        (["--optimizer", "sdg"], "optimizer: expected one of sgd, rmsprop, adam, adamw, received 'sdg'"),
        (["--paint"], "No such option"),
        (["--epochs", "9" * 401], "recipe: expected epochs to be"),
        (["--learning-rate", "nan"], "recipe: expected learning_rate in"),
        (["--resume", "x", "--epochs", "20"], "--resume: expected a run and no other choices, received both"),
        (["--resume", "x", "--epochs", "3"], "--resume: expected a run and no other choices, received both"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(whygrad, tmp_path, arguments, message):
    result = whygrad("train", *arguments)
    assert result.code == 2
    assert result.out == ""
    assert result.err.startswith("whygrad: ")
    assert message in result.err
    assert result.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--resume", "nowhere"], "nowhere: expected a run, received no such directory; name the directory"),
        (["--out", "file/run"], "file/run: expected a place that can be written to, received"),
        (["--out", "full"], "full: expected a new or empty directory, received one that is in use; choose another"),
        (["--model", "lenet5"], "conv2 (conv2d): expected a window no larger than the padded image of 4x4"),
        (["--learning-rate", "1e6", "--model", "mnist_cnn"], "expected a finite loss, received"),
    ],
)
def test_a_failure_is_one_line_and_exit_code_1(whygrad, tmp_path, arguments, message):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/thesis.txt").write_text("mine")
    result = (
        whygrad("train", "--epochs", 1, *arguments) if "--resume" not in arguments else whygrad("train", *arguments)
    )
    assert result.code == 1
    assert message in result.err
    assert result.err.startswith("whygrad: ")
    assert result.err.count("\n") == 1
    assert (tmp_path / "file").read_text() == (tmp_path / "full/thesis.txt").read_text() == "mine"


def test_a_damaged_checkpoint_is_named_with_its_remedy(whygrad, tmp_path, environment, uninterrupted):
    shutil.copytree(uninterrupted[0], tmp_path / "run")
    (tmp_path / "run/summary.json").unlink()
    last = sorted((tmp_path / "run/checkpoints").iterdir())[-1]
    (last / "arrays.safetensors").write_bytes(b"damaged")
    result = whygrad("train", "--resume", "run")
    assert result.code == 1
    assert f"{last.name}/arrays.safetensors: expected the contents that were written" in result.err
    assert "delete this checkpoint to resume from the one before it" in result.err
    shutil.rmtree(last)
    assert whygrad("train", "--resume", "run").code == 0
    assert_equal_runs(tmp_path / "run", uninterrupted[0])


def test_a_reader_that_has_seen_enough_is_no_error(environment, tmp_path, trained):
    command = f"{sys.executable} -m whygrad info {trained} | head -1"
    done = subprocess.run(
        command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1


def test_an_empty_directory_may_be_named(whygrad, tmp_path):
    (tmp_path / "run").mkdir()
    assert whygrad(*SHORT, "--out", ".", cwd=tmp_path / "run").code == 0
    assert whygrad("info", "run").code == 0


def test_a_last_step_that_diverges_is_a_failure(whygrad):
    options = ("--learning-rate", "1e6", "--weight-decay", "1", "--schedule", "constant", "--batch-size", "2000")
    result = whygrad("train", *options, "--epochs", 2, "--json")
    assert result.code == 1
    assert result.out == ""
    assert "expected a finite loss" in result.err
    assert result.err.count("\n") == 1


def test_a_run_deleted_meanwhile_is_a_failure(whygrad, environment, tmp_path):
    process = start(environment, tmp_path, *LONG)
    deadline = time.monotonic() + 60
    while len(read_metrics(tmp_path / "run/metrics.jsonl")) < 30 and time.monotonic() < deadline:
        time.sleep(0.01)
    shutil.rmtree(tmp_path / "run", ignore_errors=True)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_two_processes_do_not_train_one_run(whygrad, environment, tmp_path, uninterrupted):
    process = start(environment, tmp_path, *LONG)
    deadline = time.monotonic() + 60
    while not read_metrics(tmp_path / "run/metrics.jsonl") and time.monotonic() < deadline:
        time.sleep(0.01)
    second = whygrad("train", "--resume", "run")
    assert second.code == 1
    assert "run: expected one process that trains it, received a second one; wait for the other one" in second.err
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert_equal_runs(tmp_path / "run", uninterrupted[0])


@pytest.mark.parametrize("model", ["digits_cnn", "mnist_cnn", "vgg_small", "resnet20"])
def test_every_model_that_fits_the_digits_passes_its_own_check(whygrad, model):
    result = whygrad("train", "--model", model, "--epochs", 1, "--batch-size", 4000, "--learning-rate", 0)
    assert result.code == 0, result.err
    assert "checked along random directions, all right" in result.out


def test_a_terminal_shows_progress(environment, tmp_path):
    pytest.importorskip("pty", reason="needs a pseudo-terminal")
    script = (
        "import pty, sys\n"
        "pty.spawn([sys.executable, '-m', 'whygrad', 'train', '--epochs', '2', '--out', 'shown'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert "epoch 1/2  loss " in done.stdout
    assert "epoch 2/2 " in done.stdout
    assert "━" in done.stdout
    assert "test accuracy" in done.stdout


def test_a_wrong_gradient_ends_the_training_before_it_begins():
    def wrong_loss(y, target):
        value, dy = cross_entropy(y, target)
        return value, 2 * dy

    data = load_digits()
    experiment = SimpleNamespace(model=digits_cnn(), train=data, loss=wrong_loss)
    run = SimpleNamespace(recipe=SimpleNamespace(seed=0))
    said = r"gradient of conv1.weight: expected right, received wrong; .* 2 times .*; do not trust this training"
    with pytest.raises(GradientError, match=said):
        _check_gradients(run, experiment, Console(quiet=True))
