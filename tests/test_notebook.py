"""What notebooks show: whole HTML, escaped, small, of everything that a person looks at."""

import base64
import io
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from whygrad import DTypeError, Graph, OptionError, Residual, Sequential, ShapeError, evaluate, notebook
from whygrad.data import Dataset, gallery, load_digits
from whygrad.data.folder import Wanted, read_folder
from whygrad.layers import Add, Conv2d, Flatten, Linear, ReLU
from whygrad.models import MODELS
from whygrad.training import Recipe, Run, prepare

VOID = {"img", "path", "polyline", "circle", "br", "hr"}


class Page(HTMLParser):
    """Reads HTML: its text, its pictures, and whether every element ends."""

    def __init__(self, html):
        super().__init__()
        self.open, self.texts, self.pictures, self.tags = [], [], [], []
        self.feed(html)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag == "img":
            source = dict(attributes)["src"]
            assert source.startswith("data:image/png;base64,")
            self.pictures.append(np.asarray(Image.open(io.BytesIO(base64.b64decode(source[22:])))))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self):
        return " ".join(self.texts)


def shown(thing):
    return Page(thing._repr_html_())


class TestModels:
    @pytest.mark.parametrize("name", MODELS)
    def test_every_ready_model(self, name):
        model = MODELS[name]()
        html = model._repr_html_()
        page = Page(html)
        for row in model.rows("", model.input_shape):
            assert row.name in page.texts
            assert row.layer in page.texts
            assert f"{row.parameters:,}" in page.texts
        assert len(html) < 20_000

    def test_names_are_escaped(self):
        page = shown(Sequential(**{"<script>alert(1)</script>": ReLU()}))
        assert "script" not in page.tags
        assert "<script>alert(1)</script>" in page.texts

    def test_a_graph_and_a_residual(self):
        graph = Graph(
            {"a": (Conv2d(1, 2, 3, padding=1), "image"), "output": (Add(), "a", "a")},
            inputs=("image",),
            input_shapes=((1, 4, 5),),
        )
        assert {"Graph: 20 parameters", "2x4x5", "Add()"} <= set(shown(graph).texts)
        assert {"Residual: 20 parameters", "?", "total"} <= set(shown(Residual(Sequential(Linear(4, 4)))).texts)

    def test_layers_that_do_not_fit_each_other(self):
        page = shown(Sequential(conv1=Conv2d(1, 4, 3), fc1=Linear(3, 4), input_shape=(1, 8, 8)))
        assert "expected samples of 3 features" in page.text
        assert {"conv1", "fc1", "Linear(3, 4)", "56"} <= set(page.texts)
        graph = Graph(
            {"a": (Flatten(), "image"), "output": (Linear(3, 2), "a")}, inputs=("image",), input_shapes=((1, 4, 5),)
        )
        assert {"output", "8"} <= set(shown(graph).texts)
        assert "expected samples of 3 features" in shown(graph).text


class TestImages:
    def test_a_data_set(self):
        digits = load_digits()
        html = digits._repr_html_()
        page = Page(html)
        assert "digits: 1,797 images, 1x8x8" in page.texts
        assert len(page.pictures) == 24
        assert "the first 24 of 1,797 images" not in page.text  # the title says how many there are
        np.testing.assert_allclose(page.pictures[3], 255 * digits.images[3 * 1797 // 24, 0], atol=0.51)
        assert len(html) < 25_000

    def test_a_folder_in_order_of_class(self, tmp_path):
        for name, grey in (("black", 0), ("white", 255)):
            (tmp_path / name).mkdir()
            for i in range(40):
                Image.new("L", (5, 6), grey).save(tmp_path / name / f"{i}.png")
        data = read_folder(tmp_path, "greys", Wanted()).parts.train
        page = shown(data)
        assert {"black", "white"} <= set(page.texts)
        assert len(page.pictures) == 24
        for path in (tmp_path / "black").iterdir():
            path.unlink()
        assert "expected" in shown(data).text

    def test_an_empty_data_set_and_names_of_classes(self):
        data = Dataset("<b>", np.zeros((0, 1, 2, 2)), np.zeros(0, int), ("<i>", "b"))
        page = shown(data)
        assert "<b>: 0 images, 1x2x2" in page.texts
        assert "2 classes: <i>, b" in page.texts

    @pytest.mark.parametrize(
        ("images", "expected"),
        [
            (np.array([[[[0.0, 1.0]]]]), [[0, 255]]),
            (np.array([[[[0.0, 0.5]]]]), [[0, 128]]),
            (np.array([[[[-1.0, 3.0]]]]), [[0, 255]]),
            (np.array([[[[0, 128]]]]), [[0, 128]]),
            (np.array([[[[-1e308, 1e308]]]]), [[0, 255]]),
            (np.array([[[[7.0, 7.0]]]]), [[0, 0]]),
            (np.array([[[[True, False]]]]), [[255, 0]]),
        ],
    )
    def test_numbers_become_greys(self, images, expected):
        np.testing.assert_array_equal(shown(gallery(images)).pictures[0], expected)

    def test_what_is_not_finite_is_seen(self):
        (picture,) = shown(gallery(np.array([[[[0.0, np.nan, np.inf, 1.0]]]]))).pictures
        np.testing.assert_array_equal(picture[0, 1:3], [[255, 0, 255]] * 2)
        np.testing.assert_array_equal(picture[0, [0, 3]], [[0] * 3, [255] * 3])

    def test_colours(self):
        rng = np.random.default_rng(0)
        images = rng.random((2, 3, 4, 5))
        for given in (images, images[0]):
            picture = shown(gallery(given)).pictures[0]
            np.testing.assert_allclose(picture, 255 * np.moveaxis(images[0], 0, -1), atol=0.51)

    def test_shapes(self):
        assert len(shown(gallery(np.zeros((5, 4, 4)))).pictures) == 5
        assert len(shown(gallery(np.zeros((3, 4, 4)), [0, 1, 2])).pictures) == 3
        page = shown(gallery(np.zeros((2, 7, 3, 3))))
        assert "the first of 7 channels" in page.text
        wide = shown(gallery(np.zeros((1, 1, 100, 1000)))).pictures[0]
        assert wide.shape == (22, 224)

    def test_mistakes_are_marked(self):
        made = gallery(np.zeros((3, 1, 2, 2)), ["a", "b<", "c"], guesses=["a", "c", "c"])
        assert made.captions == ("a", "b<, not c", "c")
        html = made._repr_html_()
        assert html.count("class=bad") == 1
        assert "b<, not c" in Page(html).texts

    def test_many_images(self):
        page = shown(gallery(np.zeros((100, 1, 2, 2)), most=7))
        assert len(page.pictures) == 7
        assert "the first 7 of 100 images" in page.text

    def test_mistakes_of_the_caller(self):
        with pytest.raises(ShapeError, match=r"gallery: expected \(N, C, H, W\), .* received \(4,\)"):
            gallery(np.zeros(4))
        with pytest.raises(ShapeError, match="expected 3 labels, one for each image, received 2"):
            gallery(np.zeros((3, 1, 2, 2)), [0, 1])
        with pytest.raises(DTypeError, match="images of real numbers, received complex128"):
            gallery(np.zeros((3, 1, 2, 2), complex))
        with pytest.raises(OptionError, match="most to be a whole number"):
            gallery(np.zeros((3, 1, 2, 2)), most=0)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    run = Run.create(Recipe(epochs=2, patience=5), tmp_path_factory.mktemp("runs") / "run<1>")
    experiment = prepare(run.recipe)
    list(run.steps(experiment))
    run.finish(experiment, 1.5)
    return run


class TestRuns:
    def test_a_finished_run(self, run):
        page = shown(run)
        assert str(run.path) in page.texts
        assert "model digits_cnn" in page.text
        assert "after 2 epochs in 1.5 s" in page.text
        assert page.tags.count("svg") == 2
        assert page.tags.count("polyline") == 4
        assert {"training", "validation", "loss", "accuracy"} <= set(page.texts)

    def test_a_run_that_has_not_begun_or_not_ended(self, tmp_path):
        run = Run.create(Recipe(), tmp_path / "run")
        assert "not begun" in shown(run).text
        steps = run.steps(prepare(run.recipe))
        for _ in range(3):
            next(steps)
        steps.close()
        page = shown(run)
        assert "not finished: step 3, in epoch 1" in page.text
        assert page.tags.count("polyline") == 1

    def test_a_damaged_run_shows_what_is_wrong(self, run, tmp_path):
        again = Run.create(Recipe(), tmp_path / "run")
        (again.path / "summary.json").write_text("{")
        (again.path / "metrics.jsonl").write_text('{"step": 1, "epoch": 1, "loss": NaN}\n{"ste')
        assert "expected a whole JSON file" in shown(again).text

    def test_an_evaluation(self, run):
        experiment = prepare(run.recipe)
        params = run.parameters(experiment)
        result = evaluate(experiment.model, params, experiment.test.images, experiment.test.labels)
        page = shown(result)
        assert f"accuracy {100 * result.accuracy:.2f} %" in page.text
        for i, row in enumerate(result.confusion):
            assert f"{row[i]}/{row.sum()}" in page.texts
        many = result._replace(confusion=np.zeros((1000, 1000), np.int64))
        assert len(many._repr_html_()) < 3000


class TestCurves:
    def test_gaps_where_it_is_not_finite(self):
        nan, infinite = float("nan"), float("inf")
        chart = notebook.curves("a<b", {"<i>": [(1, 1.0), (2, nan), (3, 2.0), (4, 3.0), (5, infinite), (6, 1e200)]})
        page = Page(chart)
        assert page.tags.count("polyline") == 2
        assert page.tags.count("circle") == 1
        assert {"a<b", "<i>", "1", "3"} <= set(page.texts)

    def test_one_point_and_a_flat_line(self):
        for points in ([(1, 0.0)], [(1, 5.0), (2, 5.0)]):
            assert "nan" not in notebook.curves("loss", {"training": points})
