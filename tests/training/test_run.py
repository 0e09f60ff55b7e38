import itertools
import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.training.toy import names
from whygrad.errors import FileError, OptionError, ShapeError
from whygrad.training import Recipe, Run, prepare, read_metrics

TINY = Recipe(epochs=2, batch_size=512, seed=3)


def contents(path):
    """Return every file of a run that must not depend on how it came about."""
    files = sorted(p for p in path.rglob("*") if p.is_file() and p.name != "summary.json")
    return {str(p.relative_to(path)): p.read_bytes() for p in files}


def trained(path, recipe=TINY, stop_after=None):
    run = Run.create(recipe, path)
    experiment = run.experiment()
    steps = run.steps(experiment)
    for _ in itertools.islice(steps, stop_after):
        pass
    steps.close()
    if stop_after is None:
        run.finish(experiment, 1.0)
    return run


def resumed(path):
    run = Run(path)
    experiment = run.experiment()
    for _ in run.steps(experiment):
        pass
    run.finish(experiment, 1.0)
    return run


def test_a_run_leaves_what_it_promises(tmp_path):
    run = trained(tmp_path / "run")
    assert names(run.path) == [
        "checkpoints",
        "config.json",
        "metrics.jsonl",
        "model.safetensors",
        "summary.json",
    ]
    assert set(run.summary) >= {"test_accuracy", "train_loss", "epochs", "seconds", "parameters", "run_dir"}
    records = read_metrics(run.path / "metrics.jsonl")
    assert [record["step"] for record in records] == list(range(1, 7))
    assert [record["epoch"] for record in records if "epoch_loss" in record] == [1, 2]
    assert set(load_file(run.path / "model.safetensors")) == set(run.experiment().model.parameters())


def test_two_runs_with_one_seed_are_the_same_file_for_file(tmp_path):
    trained(tmp_path / "a")
    trained(tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


@pytest.mark.parametrize("stop", [1, 2, 3, 4, 6])
def test_a_run_stopped_anywhere_ends_like_one_that_was_not(tmp_path, stop):
    whole = trained(tmp_path / "whole").path
    trained(tmp_path / "stopped", stop_after=stop)
    ended, wanted = contents(resumed(tmp_path / "stopped").path), contents(whole)
    # Which checkpoints are left depends on where it stopped; the last one and all the rest do not.
    for name in set(ended) ^ set(wanted):
        assert name.startswith("checkpoints/step-")
    assert all(ended[name] == wanted[name] for name in set(ended) & set(wanted))
    assert any(name.startswith("checkpoints/step-00000006/") for name in ended)


def test_early_stopping_keeps_the_best_and_resumes_alike(tmp_path):
    # The learning rate is 0, so that no epoch improves on the first.
    recipe = Recipe(epochs=9, batch_size=512, learning_rate=0.0, schedule="constant", patience=2)
    whole = trained(tmp_path / "whole", recipe)
    assert whole.summary["epochs"] == 3
    records = [r for r in read_metrics(whole.path / "metrics.jsonl") if "validation_loss" in r]
    assert len(records) == 3
    trained(tmp_path / "stopped", recipe, stop_after=4)
    assert (
        contents(resumed(tmp_path / "stopped").path)["model.safetensors"]
        == contents(whole.path)["model.safetensors"]
    )
    again = Run(tmp_path / "stopped")
    assert list(again.steps(again.experiment())) == []
    best = load_file(whole.path / "best.safetensors")
    assert all(
        np.array_equal(best[name], array) for name, array in load_file(whole.path / "model.safetensors").items()
    )


def test_runs_are_numbered(tmp_path):
    paths = [Run.create(TINY, parent=tmp_path).path.name for _ in range(3)]
    assert paths == ["digits-1", "digits-2", "digits-3"]


def test_a_directory_in_use_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(FileError, match="expected a new or empty directory, received one that is in use; choose"):
        Run.create(TINY, tmp_path)
    assert names(tmp_path) == ["thesis.txt"]


def test_a_file_where_a_directory_should_be_is_refused(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileError, match="a place that can be written to"):
        Run.create(TINY, tmp_path / "file" / "run")


def test_a_directory_without_a_run_is_refused(tmp_path):
    with pytest.raises(FileError, match=r"expected a run, received a directory without config\.json"):
        Run(tmp_path)
    with pytest.raises(FileError, match="expected a run, received no such directory; name the directory"):
        Run(tmp_path / "none")


@pytest.mark.parametrize(
    "config",
    [
        "",
        "{}",
        '{"recipe": {"epochs": "many"}}',
        '{"recipe": {"colour": 1}}',
        '{"recipe": {"model": "alexnet"}}',
        "[1]",
    ],
)
def test_a_damaged_recipe_is_refused_by_name(tmp_path, config):
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(FileError, match=r"config\.json"):
        Run(tmp_path)


def replace(path, change):
    arrays = load_file(path)
    save_file(change(arrays), path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: {k: v for k, v in a.items() if k != "fc1.bias"}, "expected fc1.bias in the file, received none"),
        (
            lambda a: a | {"fc9.bias": np.zeros(1, np.float32)},
            "expected no fc9.bias, which the model does not have",
        ),
        (lambda a: a | {"fc1.bias": np.zeros(3, np.float32)}, r"fc1.bias of shape \(10,\), .* received \(3,\)"),
        (lambda a: a | {"fc1.bias": np.zeros(10, np.int64)}, "float32 or float64, received"),
        (lambda a: a | {"fc1.bias": np.full(10, np.nan, np.float32)}, "finite numbers in fc1.bias"),
    ],
)
def test_parameters_that_are_not_the_models_are_refused(tmp_path, change, message):
    run = trained(tmp_path / "run")
    replace(run.path / "model.safetensors", change)
    with pytest.raises(FileError, match=message):
        run.parameters(run.experiment())


def test_a_damaged_model_file_is_refused(tmp_path):
    run = trained(tmp_path / "run")
    for content in (b"", b"\xff" * 100, (run.path / "model.safetensors").read_bytes()[:-10]):
        (run.path / "model.safetensors").write_bytes(content)
        with pytest.raises(FileError, match="expected a whole safetensors file"):
            run.parameters(run.experiment())


def test_a_run_that_has_not_begun_has_no_parameters(tmp_path):
    run = Run.create(TINY, tmp_path / "run")
    with pytest.raises(FileError, match="a run that has not begun; train it with: whygrad train --resume"):
        run.parameters(run.experiment())


def test_an_unfinished_run_offers_its_last_checkpoint(tmp_path):
    run = trained(tmp_path / "run", stop_after=2)
    assert set(run.parameters(run.experiment())) == set(run.experiment().model.parameters())


def test_metrics_of_a_killed_run_are_cut_to_the_checkpoint(tmp_path):
    run = trained(tmp_path / "run", stop_after=2)
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"step": 3, "epoch": 1, "loss": 9.9}) + "\n" + '{"step": 4, "lo')
    resumed(run.path)
    records = read_metrics(run.path / "metrics.jsonl")
    assert [record["step"] for record in records] == list(range(1, 7))
    assert 9.9 not in [record["loss"] for record in records]


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (
            {"model": "alexnet"},
            "model: expected one of compact_cnn, digits_cnn, lenet5, .*, received 'alexnet'; check the spelling",
        ),
        ({"optimizer": "sdg"}, "optimizer: expected one of sgd, rmsprop, adam, adamw, received 'sdg'"),
        ({"schedule": "cosin"}, "schedule: expected one of constant, cosine, one-cycle, step"),
        ({"epochs": 0}, "epochs to be a whole number of at least 1"),
        ({"batch_size": -1}, "batch_size to be a whole number"),
        ({"learning_rate": -0.1}, "learning_rate in"),
        ({"learning_rate": float("nan")}, "learning_rate in"),
        ({"seed": -1}, "seed to be a whole number of at least 0"),
        ({"patience": 0}, "patience to be"),
        ({"clip": 0.0}, "clip in"),
        ({"label_smoothing": 2.0}, "label_smoothing in"),
    ],
)
def test_a_choice_outside_its_domain_is_refused(choice, message):
    with pytest.raises(OptionError, match=message):
        Recipe(**choice)


def test_a_recipe_survives_its_file():
    recipe = Recipe(epochs=7, clip=1.0, patience=3)
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_an_unknown_data_set_and_a_model_too_deep_for_it_are_refused():
    with pytest.raises(OptionError, match=r"data: expected one of digits, mnist, .*, received 'cats'"):
        prepare(Recipe(data="cats"))
    with pytest.raises(
        ShapeError, match=r"conv2 \(conv2d\): expected a window no larger than the padded image of 4x4"
    ):
        prepare(Recipe(model="lenet5"))


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adam", "adamw"])
@pytest.mark.parametrize("schedule", ["constant", "cosine", "step", "one-cycle"])
def test_every_optimiser_learns_with_every_schedule(tmp_path, optimizer, schedule):
    recipe = Recipe(epochs=2, batch_size=64, optimizer=optimizer, schedule=schedule)
    run = trained(tmp_path / "run", recipe)
    assert run.summary["test_accuracy"] > 0.5


def test_what_a_killed_writer_left_is_swept_away(tmp_path):
    run = trained(tmp_path / "run", stop_after=2)
    (run.path / "checkpoints/.step-00000003.77.tmp").mkdir()
    (run.path / "checkpoints/.step-00000003.77.tmp/arrays.safetensors").write_text("half")
    (run.path / ".best.safetensors.77.tmp").write_text("half")
    resumed(run.path)
    assert not list(run.path.rglob("*.tmp"))
