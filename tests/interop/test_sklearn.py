"""The classifier among scikit-learn's: its own checks, and what people do with an estimator."""

import importlib
import pickle

import numpy as np
import pytest

from whygrad import Sequential, check_model
from whygrad.checking import INPUT, JITTER
from whygrad.layers import Flatten, Linear
from whygrad.models import lenet5

sklearn = pytest.importorskip("sklearn")
CNNClassifier = importlib.import_module("whygrad.interop.sklearn").CNNClassifier
base, checks, datasets = map(
    importlib.import_module, ["sklearn.base", "sklearn.utils.estimator_checks", "sklearn.datasets"]
)
selection, pipeline, preprocessing = map(
    importlib.import_module, ["sklearn.model_selection", "sklearn.pipeline", "sklearn.preprocessing"]
)


@pytest.fixture(scope="module")
def digits():
    x, y = datasets.load_digits(return_X_y=True)
    return x / 16, y


@pytest.fixture(scope="module")
def trained(digits):
    x, y = digits
    return CNNClassifier(epochs=10, random_state=1).fit(x[:1200], y[:1200])


@pytest.mark.filterwarnings("default")  # the checks provoke warnings
@pytest.mark.parametrize(
    ("estimator", "check"),
    list(checks.estimator_checks_generator(CNNClassifier(epochs=15))),
    ids=lambda value: getattr(getattr(value, "func", value), "__name__", ""),
)
def test_what_scikit_learn_asks_of_an_estimator(estimator, check):
    check(estimator)


class TestUse:
    def test_it_learns(self, digits, trained):
        x, y = digits
        assert trained.score(x[1200:], y[1200:]) > 0.9
        assert len(trained.loss_curve_) == trained.n_iter_ == 10
        assert trained.loss_curve_[-1] < trained.loss_curve_[0]
        assert trained.image_shape_ == (1, 8, 8)
        assert trained.n_features_in_ == 64

    def test_probabilities(self, digits, trained):
        x, _ = digits
        p = trained.predict_proba(x[:50])
        assert p.shape == (50, 10)
        np.testing.assert_allclose(p.sum(axis=1), 1.0, rtol=1e-12)
        np.testing.assert_allclose(np.log(p), trained.predict_log_proba(x[:50]), rtol=1e-9)
        np.testing.assert_array_equal(trained.classes_[p.argmax(axis=1)], trained.predict(x[:50]))

    def test_its_network_can_be_checked(self, digits, trained):
        x, y = digits
        images = x[:3].reshape(3, 1, 8, 8)
        report = check_model(trained.model_, trained.params_, images, y[:3], jitter=JITTER)
        assert all(row.verdict.good for row in report if row.name != INPUT), str(report)

    def test_pipeline_and_grid_search(self, digits):
        x, y = digits
        steps = pipeline.make_pipeline(preprocessing.StandardScaler(), CNNClassifier(random_state=0))
        search = selection.GridSearchCV(steps, {"cnnclassifier__learning_rate": [1e-6, 0.003]}, cv=2)
        search.fit(x[:400], y[:400])
        assert search.best_params_ == {"cnnclassifier__learning_rate": 0.003}
        assert search.best_score_ > 0.8

    def test_cross_validation(self, digits):
        x, y = digits
        scores = selection.cross_val_score(CNNClassifier(random_state=0), x[:900], y[:900], cv=3)
        assert scores.shape == (3,)
        assert scores.min() > 0.85

    def test_clone_and_parameters(self, trained):
        copy = base.clone(trained)
        assert not hasattr(copy, "params_")
        assert copy.get_params() == trained.get_params()
        assert copy.set_params(epochs=9).epochs == 9

    def test_pickle_by_the_user(self, digits, trained):
        x, _ = digits
        again = pickle.loads(pickle.dumps(trained))
        np.testing.assert_array_equal(again.predict_proba(x[:9]), trained.predict_proba(x[:9]))
        again.partial_fit(x[:64], digits[1][:64])
        assert again.n_iter_ == trained.n_iter_ + 1


class TestSeeds:
    def test_one_seed_gives_one_training(self, digits):
        x, y = (a[:200] for a in digits)
        one, two, other = (CNNClassifier(epochs=1, random_state=s).fit(x, y) for s in (3, 3, 4))
        for name, array in one.params_.items():
            np.testing.assert_array_equal(array, two.params_[name])
        assert any(np.any(array != other.params_[name]) for name, array in one.params_.items())

    def test_a_random_state_is_used_up_and_none_is_new_each_time(self, digits):
        x, y = (a[:64] for a in digits)
        state = np.random.RandomState(0)
        first, second = (CNNClassifier(epochs=1, random_state=state).fit(x, y).loss_curve_ for _ in range(2))
        assert first != second
        assert CNNClassifier(epochs=1).fit(x, y).loss_curve_ != CNNClassifier(epochs=1).fit(x, y).loss_curve_


class TestLabels:
    @pytest.mark.parametrize(
        "names",
        [
            np.array(["nought", "one", "two"]),
            np.array([-7, 3, 1000]),
            np.array(["zero", "one", "two"], dtype=object),
            np.array([0.0, 1.0, 2.0]),
        ],
        ids=lambda names: names.dtype.str,
    )
    def test_labels_of_any_type(self, digits, names):
        x, y = digits
        few = np.flatnonzero(y < 3)[:240]
        classifier = CNNClassifier(epochs=6, random_state=0).fit(x[few], names[y[few]])
        np.testing.assert_array_equal(classifier.classes_, np.unique(names))
        assert classifier.predict(x[few]).dtype == names.dtype
        assert classifier.score(x[few], names[y[few]]) > 0.95

    def test_yes_and_no(self, digits):
        x, y = digits
        classifier = CNNClassifier(epochs=8, random_state=0).fit(x[:300], y[:300] > 4)
        assert classifier.predict(x[:5]).dtype == bool
        assert classifier.predict_proba(x[:5]).shape == (5, 2)

    def test_one_class_only(self, digits):
        x, _ = digits
        classifier = CNNClassifier(epochs=1).fit(x[:10], np.full(10, "only"))
        assert set(classifier.predict(x[:20])) == {"only"}


class TestShapes:
    @pytest.mark.parametrize("shape", [(1, 8, 8), (8, 8)])
    def test_images_in_place_of_rows(self, digits, shape):
        x, y = digits
        flat = CNNClassifier(epochs=1, random_state=0).fit(x[:128], y[:128])
        images = CNNClassifier(epochs=1, random_state=0).fit(x[:128].reshape(128, *shape), y[:128])
        np.testing.assert_array_equal(flat.predict_proba(x[:5]), images.predict_proba(x[:5].reshape(5, *shape)))

    def test_rows_after_images(self, digits, trained):
        x, _ = digits
        np.testing.assert_array_equal(trained.predict_proba(x[:5].reshape(5, 8, 8)), trained.predict_proba(x[:5]))

    def test_colour_images_as_rows(self):
        rng = np.random.default_rng(0)
        y = np.arange(90) % 3
        images = 0.1 * rng.normal(size=(90, 3, 4, 6))
        images[np.arange(90), y] += 1.0  # the class is the bright channel
        classifier = CNNClassifier(image_shape=(3, 4, 6), epochs=15, random_state=0).fit(images.reshape(90, -1), y)
        assert classifier.image_shape_ == (3, 4, 6)
        assert classifier.score(images.reshape(90, -1), y) > 0.95

    @pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
    def test_rows_of_any_length(self, size):
        rng = np.random.default_rng(size)
        x = rng.normal(size=(60, size))
        y = x[:, 0] > 0
        assert CNNClassifier(epochs=30, random_state=0).fit(x, y).score(x, y) > 0.9

    @pytest.mark.parametrize(
        "model", ["lenet5", lenet5, Sequential(Flatten(), Linear(784, 2))], ids=["name", "function", "layer"]
    )
    def test_other_networks(self, model):
        rng = np.random.default_rng(0)
        x, y = rng.normal(size=(40, 784)), np.arange(40) % 2
        x[y == 1, :392] += 1
        classifier = CNNClassifier(model, epochs=8, random_state=0).fit(x, y)
        assert classifier.score(x, y) > 0.9
        assert base.clone(classifier).fit(x, y).score(x, y) > 0.9


class TestPartialFit:
    def test_batch_after_batch(self, digits):
        x, y = digits
        classifier = CNNClassifier(random_state=0)
        for _ in range(6):
            for start in range(0, 1200, 400):
                classifier.partial_fit(x[start : start + 400], y[start : start + 400], classes=range(10))
        assert classifier.score(x[1200:], y[1200:]) > 0.9
        assert classifier.n_iter_ == len(classifier.loss_curve_) == 18

    def test_classes_that_have_not_come_yet(self, digits):
        x, y = digits
        classifier = CNNClassifier(random_state=0).partial_fit(x[y < 5][:50], y[y < 5][:50], classes=range(10))
        assert classifier.predict_proba(x[:3]).shape == (3, 10)

    def test_one_seed_gives_one_training(self, digits):
        x, y = digits
        one, two = (CNNClassifier(random_state=5) for _ in range(2))
        for classifier in (one, two):
            classifier.partial_fit(x[:90], y[:90], classes=range(10)).partial_fit(x[90:150], y[90:150])
        np.testing.assert_array_equal(one.predict_proba(x[:9]), two.predict_proba(x[:9]))

    def test_mistakes(self, digits):
        x, y = digits
        with pytest.raises(ValueError, match="expected classes in the first call, received None"):
            CNNClassifier().partial_fit(x[:50], y[:50])
        classifier = CNNClassifier().partial_fit(x[:50], y[:50], classes=range(10))
        with pytest.raises(ValueError, match="expected the classes of before"):
            classifier.partial_fit(x[:50], y[:50], classes=range(11))
        with pytest.raises(ValueError, match=r"expected labels among .* received \[12\]"):
            classifier.partial_fit(x[:50], np.full(50, 12))


class TestErrors:
    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"model": "lenet"}, "model: expected one of"),
            ({"model": 3}, 'model as "auto", one of'),
            ({"model": Flatten()}, "expected a model with 10 scores, received"),
            ({"image_shape": (3, 8, 8)}, r"expected image_shape for 64 features, received \(3, 8, 8\)"),
            ({"image_shape": (4, 4, 2, 2)}, "expected image_shape for 64 features"),
            ({"epochs": 0}, "epochs to be a whole number of at least 1"),
            ({"batch_size": 2.5}, "batch_size to be a whole number"),
            ({"optimizer": "adagrad"}, "optimizer as one of sgd"),
            ({"schedule": "linear"}, "schedule as one of constant"),
            ({"learning_rate": -1.0}, "learning_rate in"),
            ({"weight_decay": 2.0}, "weight_decay in"),
            ({"label_smoothing": "much"}, "label_smoothing in"),
            ({"clip": 0.0}, "clip in"),
        ],
        ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
    )
    def test_options(self, digits, options, said):
        x, y = digits
        with pytest.raises(ValueError, match=said):
            CNNClassifier(**options).fit(x[:50], y[:50])

    def test_images_of_another_shape_than_before(self, digits, trained):
        x, _ = digits
        with pytest.raises(ValueError, match=r"expected images of shape \(1, 8, 8\), received \(1, 4, 16\)"):
            trained.predict(x[:3].reshape(3, 1, 4, 16))

    def test_numbers_instead_of_classes(self, digits):
        x, _ = digits
        with pytest.raises(ValueError, match="continuous"):
            CNNClassifier().fit(x[:50], np.linspace(0, 1, 50))
