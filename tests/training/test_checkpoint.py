import itertools
import json
import os

import numpy as np
import pytest

from tests.training import toy
from tests.training.toy import names
from whygrad.errors import FileError
from whygrad.optim import Adam
from whygrad.training import Checkpoints, load_checkpoint, save_checkpoint


@pytest.fixture
def state():
    *_, last = itertools.islice(toy.steps(), 3)
    return last.state


@pytest.fixture
def saved(tmp_path, state):
    save_checkpoint(tmp_path / "step", state, toy.optimizer())
    return tmp_path / "step"


def test_a_checkpoint_gives_back_every_bit(saved, state):
    assert toy.same(load_checkpoint(saved, toy.optimizer()), state)


def test_a_training_goes_on_from_a_checkpoint_as_if_never_interrupted(saved):
    whole = list(toy.steps())
    resumed = list(toy.steps(resume=load_checkpoint(saved, toy.optimizer())))
    assert toy.same(resumed[-1].state, whole[-1].state)


def test_a_checkpoint_holds_no_pickle(saved):
    assert names(saved) == ["arrays.safetensors", "state.json"]
    assert json.loads((saved / "state.json").read_text())["format"] == 1


@pytest.mark.parametrize("name", ["arrays.safetensors", "state.json"])
def test_a_truncated_file_is_refused_by_name(saved, name):
    content = (saved / name).read_bytes()
    for keep in (0, 1, 7, len(content) // 2, len(content) - 2):
        (saved / name).write_bytes(content[:keep])
        with pytest.raises(FileError, match=name):
            load_checkpoint(saved, toy.optimizer())


def test_any_flipped_bit_of_the_arrays_is_noticed(saved):
    content = (saved / "arrays.safetensors").read_bytes()
    for at in np.random.default_rng(0).integers(0, len(content), 50):
        damaged = bytearray(content)
        damaged[at] ^= 1
        (saved / "arrays.safetensors").write_bytes(damaged)
        with pytest.raises(FileError, match="delete this checkpoint to resume from the one before it"):
            load_checkpoint(saved, toy.optimizer())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("step", -1),
        ("step", "3"),
        ("epoch", True),
        ("loss_sum", float("nan")),
        ("slots", None),
        ("slots", ["other"]),
        ("rng", None),
        ("rng", {"bit_generator": "os.system", "state": {}}),
        ("rng", {"bit_generator": "PCG64", "state": {"state": -1, "inc": "x"}}),
        ("epoch_rng", []),
        ("format", 2),
    ],
)
def test_a_value_that_was_tampered_with_is_refused(saved, key, value):
    described = json.loads((saved / "state.json").read_text())
    (saved / "state.json").write_text(json.dumps(described | {key: value}))
    with pytest.raises(FileError):
        load_checkpoint(saved, toy.optimizer())


@pytest.mark.parametrize("text", ["", "[]", "nonsense", "{", "[" * 100000, "null"])
def test_a_state_that_is_no_json_object_is_refused(saved, text):
    (saved / "state.json").write_text(text)
    with pytest.raises(FileError, match=r"state\.json: expected a"):
        load_checkpoint(saved, toy.optimizer())


def test_another_optimiser_is_refused(saved):
    with pytest.raises(FileError, match=r"expected a checkpoint of Adam\(.*received SGD\("):
        load_checkpoint(saved, Adam(0.1))


def test_a_missing_checkpoint_is_refused(tmp_path):
    with pytest.raises(FileError, match="No such file or directory; check the path"):
        load_checkpoint(tmp_path / "none", toy.optimizer())


def test_the_last_two_are_kept_and_the_latest_is_read(tmp_path):
    checkpoints = Checkpoints(tmp_path, toy.optimizer())
    assert checkpoints.latest() is None
    for step in itertools.islice(toy.steps(), 4):
        checkpoints.save(step)
        checkpoints.save(step)  # twice is once
    assert names(tmp_path) == ["step-00000003", "step-00000004"]
    assert toy.same(checkpoints.latest(), step.state)


def test_what_an_interrupted_writer_left_is_not_taken_for_a_checkpoint(tmp_path, saved):
    (tmp_path / ".step-00000009.77.tmp").mkdir()
    assert Checkpoints(tmp_path, toy.optimizer()).latest() is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_directory_is_refused(tmp_path, state):
    tmp_path.chmod(0o500)
    with pytest.raises(FileError, match="a place that can be written to"):
        save_checkpoint(tmp_path / "step", state, toy.optimizer())


def test_a_file_in_the_way_is_refused_and_kept(tmp_path, state):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileError, match="expected a place that can be written to, received"):
        save_checkpoint(tmp_path / "file" / "step", state, toy.optimizer())
    assert (tmp_path / "file").read_text() == "mine"
    assert names(tmp_path) == ["file"]
