"""Recipes that suit the data, and what a run knows of them."""

import json

import numpy as np
import pytest

from tests.ops.shared import refusal
from whygrad.data import DATASETS, Pixels
from whygrad.errors import DataError, FileError, OptionError
from whygrad.training import Facts, Recipe, Run, prepare
from whygrad.training.presets import OWN, PRESETS, RECIPES, preset

FACTS = Facts(("a", "b"), (1, 8, 8), 10, (0.5,), (0.25,), "print", {"x.png": "empty"})


def test_every_data_set_has_every_recipe_and_each_can_be_built():
    assert set(PRESETS) == set(DATASETS)
    for data in (*DATASETS, "a/folder"):
        for name in RECIPES:
            made = Recipe.suited(data, name)
            assert made.data == data
            assert made.to_dict().items() >= preset(data, name).items()
    assert preset("anything", "best") is OWN["best"]


def test_choices_come_before_the_recipe():
    made = Recipe.suited("mnist", "best", epochs=1, augment="")
    assert (made.epochs, made.augment, made.model) == (1, "", "vgg_slim")


def test_another_optimiser_does_not_get_the_learning_rate_of_the_recipes_own():
    assert Recipe.suited("mnist", "best").learning_rate == 0.2
    assert Recipe.suited("mnist", "best", optimizer="adam").learning_rate is None
    assert Recipe.suited("mnist", "best", schedule="constant", learning_rate=0.01).learning_rate == 0.01


def test_paths_become_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir()
    assert Recipe.suited("pictures").data == str(tmp_path / "pictures")
    assert Recipe.suited("mnist", data_dir="files").data_dir == str(tmp_path / "files")
    assert Recipe.suited("digits").data == "digits"


@pytest.mark.parametrize(
    ("choice", "text"),
    [
        ({"size": "1"}, "size: expected a size of 2 to 4096 pixels, such as 64, or 48x64 for height x width"),
        ({"size": "axb"}, "size: expected a size"),
        ({"size": 64}, "size: expected a size"),
        ({"augment": 3}, "recipe: expected augment of kind str, received 3"),
        ({"strict": "yes"}, "recipe: expected strict of kind bool, received 'yes'"),
        ({"fit": "squeeze"}, "fit: expected one of crop, stretch, pad"),
        ({"augment": "shift"}, "augment: expected shift="),
    ],
)
def test_choices_of_no_use_are_refused(choice, text):
    with refusal(OptionError, text):
        Recipe(**choice)


def test_sizes_are_height_and_width():
    assert Recipe(data="x", size="48x64").request.size == (48, 64)
    assert Recipe(data="x", size="32").request.size == (32, 32)


def test_normalising_uses_the_training_images_alone_and_is_remembered():
    plain, scaled = prepare(Recipe()), prepare(Recipe(normalise=True))
    mean, deviation = scaled.facts.scale
    np.testing.assert_allclose(mean, plain.train.images.mean(axis=(0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(scaled.train.images[:].mean(), 0, atol=1e-5)
    np.testing.assert_allclose(scaled.train.images[:].std(), 1, atol=1e-5)
    np.testing.assert_allclose(
        scaled.test.images[:4], (plain.test.images[:4] - mean[0]) / deviation[0], rtol=1e-5, atol=1e-6
    )
    again = prepare(Recipe(normalise=True), scaled.facts)
    np.testing.assert_array_equal(again.test.images[:4], scaled.test.images[:4])


def test_gaps_are_filled_with_black_as_it_looks_after_normalising():
    scaled = prepare(Recipe(normalise=True, augment="shift=7"))
    mean, deviation = scaled.facts.scale
    images = np.ones((50, 1, 8, 8), np.float32)
    moved = scaled.augment(images, np.random.default_rng(0))
    assert set(np.round(np.unique(moved), 4)) == {1.0, np.round(np.float32(-mean[0] / deviation[0]), 4)}


def test_facts_survive_json():
    assert Facts.from_dict("here", json.loads(json.dumps(FACTS.to_dict()))) == FACTS
    assert FACTS.known.shape == (1, 8, 8)


@pytest.mark.parametrize(
    "change",
    [
        {"classes": []}, {"classes": "ab"}, {"classes": [1, 2]}, {"image_shape": [8, 8]},
        {"image_shape": [1, 8, 0]}, {"image_shape": [1, 8, 1e9]}, {"train": 0}, {"train": True},
        {"mean": [0.5, 0.5]}, {"mean": None}, {"mean": ["a"]}, {"deviation": [float("nan")]},
        {"fingerprint": 3}, {"skipped": []}, {"skipped": {"a": 1}}, {"more": 1},
    ],
)  # fmt: skip
def test_facts_that_were_changed_by_hand_are_refused(change):
    with pytest.raises(DataError, match="here: expected "):
        Facts.from_dict("here", json.loads(json.dumps(FACTS.to_dict())) | change)
    with pytest.raises(DataError):
        Facts.from_dict("here", None)


def test_a_run_that_knows_its_data_is_planned_without_them(tmp_path):
    run = Run.create(Recipe(data="/nowhere", model="digits_cnn"), tmp_path / "run", facts=FACTS)
    plan = run.plan()
    assert plan.model.output_shape((1, 8, 8)) == (2,)
    assert plan.facts == FACTS
    with pytest.raises(OptionError):
        run.experiment()
    config = json.loads((tmp_path / "run/config.json").read_text())
    config["data"]["classes"] = 3
    (tmp_path / "run/config.json").write_text(json.dumps(config))
    with pytest.raises(FileError, match=r"config\.json: expected classes, a shape"):
        _ = Run(tmp_path / "run").facts


def test_a_run_of_an_earlier_version_is_read_from_its_data(tmp_path):
    run = Run.create(Recipe(), tmp_path / "run")
    assert run.facts is None
    assert run.plan().facts.train == 1438


def test_other_images_than_those_of_the_run_are_refused():
    facts = prepare(Recipe()).facts
    with refusal(DataError, "digits: expected the images that the run was begun with, received others; bring"):
        prepare(Recipe(), facts._replace(fingerprint="other"))


def test_a_source_stays_a_source_when_it_is_divided(tmp_path):
    np.savez(tmp_path / "a.npz", images=np.zeros((20, 12, 12), np.uint8), labels=np.arange(20) % 2)
    experiment = prepare(Recipe.suited(str(tmp_path / "a.npz"), patience=2))
    sizes = [len(part.labels) for part in (experiment.train, experiment.validation, experiment.test)]
    assert sizes == [14, 2, 4]
    assert not isinstance(experiment.train.images, np.ndarray | Pixels)
    assert experiment.train.images[:3].shape == (3, 1, 12, 12)
