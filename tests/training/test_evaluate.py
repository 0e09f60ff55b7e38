import numpy as np
import pytest

from tests.training import toy
from whygrad.errors import DataError
from whygrad.layers import Flatten
from whygrad.training import EarlyStopping, evaluate, predict, probabilities


def test_batches_make_no_difference():
    net = toy.model()
    params = net.init(np.random.default_rng(0), np.float64)
    images = toy.data(20)[0].astype(np.float64)
    np.testing.assert_allclose(predict(net, params, images, batch_size=7), net(params, images)[0], atol=1e-13)


def test_no_image_gives_no_prediction():
    net = toy.model()
    params = net.init(np.random.default_rng(0))
    assert predict(net, params, np.zeros((0, 1, 8, 8), np.float32)).shape == (0, 10)


def test_probabilities_add_up_to_one():
    rows = probabilities(Flatten(), {}, np.array([[1.0, 2.0], [800.0, -800.0]]))
    np.testing.assert_allclose(rows.sum(axis=1), 1)
    np.testing.assert_allclose(rows[1], [1, 0])


def test_confusion_counts_true_class_by_row():
    scores = np.eye(3)[[0, 2, 2, 1]]
    result = evaluate(Flatten(), {}, scores, np.array([0, 1, 2, 1]))
    assert result.confusion.tolist() == [[1, 0, 0], [0, 1, 1], [0, 0, 1]]
    assert result.accuracy == 0.75


def test_an_empty_test_set_is_refused():
    with pytest.raises(DataError, match="evaluate: expected at least one image, received an empty data set"):
        evaluate(Flatten(), {}, np.zeros((0, 3)), np.zeros(0, int))


def test_early_stopping_waits_for_its_patience():
    stopping = EarlyStopping(2, least=0.1)
    assert [stopping.update(v) for v in (1.0, 0.95, 0.8, float("nan"), 0.75)] == [True, False, True, False, False]
    assert stopping.stopped
    assert stopping.best == 0.8
