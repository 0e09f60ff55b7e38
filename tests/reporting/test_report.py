"""The page of a run, as text and in a browser."""

import base64
import hashlib
import json
import re
import shutil
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from tests.data.shared import write_idx_set
from whygrad.errors import FileError
from whygrad.reporting import gather, page, training_checks, write_report
from whygrad.reporting.charts import Curve, bars, confusion_chart, line_chart, smoothed, thinned
from whygrad.reporting.pictures import data_uri, filter_uri
from whygrad.training import Recipe, Run, prepare
from whygrad.training.evaluate import scored

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ("no-sandbox", "disable-gpu", "disable-background-networking", "disable-component-update", "no-first-run")


@pytest.fixture(scope="module")
def gathered(tmp_path_factory):
    """Return a short run on images like MNIST, measured and checked."""
    folder = tmp_path_factory.mktemp("report")
    write_idx_set(folder / "files", 300, 120)
    recipe = Recipe.suited("mnist", epochs=2, data_dir=str(folder / "files"), normalise=True, clip=5.0)
    experiment = prepare(recipe)
    run = Run.create(recipe, folder / "<b>run</b>", facts=experiment.facts)
    for _ in run.steps(experiment):
        pass
    run.finish(experiment, 1.0)
    return gather(run, experiment)


@pytest.fixture(scope="module")
def html(gathered):
    return page(gathered)


class Elements(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.open = [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        if tag not in ("meta", "link", "img", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_one_file_that_asks_for_nothing_and_runs_nothing(html):
    found = Elements()
    found.feed(html)
    assert found.open == []
    assert not {"script", "iframe", "object", "form"} & set(found.tags)
    assert not [name for name, _ in found.attributes if name.startswith("on") or name == "style"]
    addresses = [value for name, value in found.attributes if name in ("src", "href")]
    assert len(addresses) > 30
    assert all(each.startswith("data:") for each in addresses)
    policy = dict(found.attributes)["content"]
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)[1]
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:")
    assert "url(" not in style


def test_the_page_says_what_the_run_reached(html, gathered):
    for text in (
        f"{100 * gathered.result.accuracy:.2f}",
        "of 120</b> test images recognised",
        "How it learned",
        "What is taken for what",
        "Its mistakes" if gathered.mistakes else "None: every test image was recognised.",
        "conv1.weight, all 32 filters of 3×3",
        "entries agree with finite differences of the trained network",
        "the start",
        "dead units",
        "compact_cnn",
        "Conv2d(1, 32, 3, padding=1, bias=False)",
    ):
        assert text in html, text


def test_names_are_never_taken_for_markup(html):
    assert "<b>run</b>" not in html
    assert "&lt;b&gt;run&lt;/b&gt;" in html


def test_every_svg_is_whole(html):
    drawings = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    assert len(drawings) > 20
    for each in drawings:
        ET.fromstring(each)


def test_writing_gives_the_file_whole_or_not_at_all(gathered, tmp_path):
    size = write_report(gathered, tmp_path / "a.html")
    assert (tmp_path / "a.html").stat().st_size == size
    with pytest.raises(FileError):
        write_report(gathered, tmp_path / "missing/a.html")


def test_mistakes_are_the_worst_first_and_show_the_image_as_it_was(gathered):
    data = gathered.experiment.test
    chances = [each.chance for each in gathered.mistakes]
    assert chances == sorted(chances)
    for each in gathered.mistakes:
        assert each.right == data.classes[data.labels[each.number]] != each.guess
        assert each.image.min() >= 0
        assert each.image.max() <= 1
        assert gathered.result.ranks[each.number] > 0


def test_checks_object_where_something_is_off(gathered):
    experiment = gathered.experiment
    params = gathered.run.parameters(experiment)
    labels = experiment.test.labels

    def found(records, summary, scores, changed=params):
        result = scored(0.0, scores, labels)
        checks = training_checks(experiment, changed, records, summary, result, scores)
        return {each.title: each.good for each in checks}

    sure = 20 * np.eye(10)[labels]
    well = [
        {"step": 1, "epoch": 1, "loss": 2.3, "epoch_loss": 1.0},
        {"step": 2, "epoch": 2, "loss": 0.1, "epoch_loss": 0.1},
    ]
    good = found(well, {"train_accuracy": 1.0}, sure)
    del good["dead units"]
    assert all(good.values())
    assert set(good) == {
        "the start",
        "the loss",
        "better than guessing",
        "memorising",
        "confidence",
        "the weakest class",
    }
    rising = [
        {"step": 1, "epoch": 1, "loss": 40.0, "epoch_loss": 0.1},
        {"step": 2, "epoch": 2, "loss": 1.0, "epoch_loss": 3.0},
    ]
    always = 20 * np.eye(10)[np.zeros(len(labels), int)]
    bad = found(rising, {"train_accuracy": 1.0}, always, params | {"bn1.bias": np.full(32, -99, np.float32)})
    assert not any(bad.values()), bad


def test_a_confusion_is_drawn_cell_by_cell():
    labels = np.array([0, 0, 0, 1, 1, 2])
    result = scored(0.0, np.eye(3)[[0, 0, 1, 1, 1, 0]], labels)
    root = ET.fromstring(confusion_chart(result.confusion, ("a", "b", "<c>")))
    told = [each.text for each in root.iter("title")]
    assert told[:3] == ["a, taken for a: 2 (66.67%)", "a, taken for b: 1 (33.33%)", "a, taken for <c>: 0 (0.00%)"]
    assert [each.text for each in root.iter("text") if each.get("class", "").startswith("count")] == [
        "2",
        "1",
        "2",
        "1",
    ]
    table = bars(result, ("a", "b", "<c>"))
    assert "–" in table  # nothing was taken for c
    assert "66.67 %" in table


def test_a_curve_stays_within_its_chart_whatever_its_numbers():
    for values in ([1e-9, 1e9], [5.0, 5.0], [0.0, 1.0], [float("nan"), 2.0, float("inf"), 3.0], [0.3]):
        for log in (False, True):
            text = line_chart(
                "t", [Curve("main", "a & b", range(len(values)), values, dots=True)], x_label="x", log=log
            )
            assert text
            root = ET.fromstring(re.search(r"<svg.*</svg>", text, re.DOTALL)[0])
            _, _, width, height = map(float, root.get("viewBox").split())
            for dot in root.iter("circle"):
                assert 0 <= float(dot.get("cx")) <= width
                assert 0 <= float(dot.get("cy")) <= height
    assert line_chart("t", [Curve("main", "none", [], [])], x_label="x") == ""


def test_long_curves_are_thinned_and_smoothed():
    points = [(float(i), float(i)) for i in range(10_000)]
    assert len(thinned(points)) == 400
    np.testing.assert_allclose(smoothed(np.arange(5.0), 3), [0, 0.5, 1, 2, 3])


def test_pictures_come_back_out_of_their_addresses():
    import io

    from PIL import Image

    image = np.random.default_rng(0).integers(0, 256, (3, 6, 5)) / 255
    address = data_uri(image)
    read = np.asarray(Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))))
    np.testing.assert_array_equal(read, np.moveaxis(np.round(image * 255), 0, -1))
    for weights in (np.zeros((1, 3, 3)), np.eye(3)[None], np.ones((3, 5, 5)), np.ones((16, 1, 1))):
        assert filter_uri(weights).startswith("data:image/png;base64,")


def test_the_command_writes_the_page_into_the_run(gathered, tmp_path):
    import subprocess
    import sys

    command = [sys.executable, "-m", "whygrad", "report", str(gathered.run.path), "--no-check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "report.html" in done.stdout
    written = (gathered.run.path / "report.html").read_text(encoding="utf-8")
    assert "of the gradients" not in written
    failed = subprocess.run([*command[:4], "nowhere"], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert failed.returncode == 1
    assert failed.stderr.startswith("whygrad: nowhere: expected a run")


@pytest.mark.parametrize("width", [1280, 400])
def test_a_browser_shows_it_without_a_complaint_and_without_a_request(gathered, tmp_path, width):
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    write_report(gathered, tmp_path / "a.html")
    complaints, asked = [], []
    with playwright.sync_playwright() as run:
        browser = run.chromium.launch(executable_path=CHROMIUM, args=[f"--{name}" for name in QUIET])
        tab = browser.new_page(viewport={"width": width, "height": 900})
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto((tmp_path / "a.html").as_uri())
        size = tab.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        colour = tab.evaluate("getComputedStyle(document.querySelector('.accuracy')).fontSize")
        broken = tab.evaluate("[...document.images].filter(i => !i.naturalWidth).length")
        browser.close()
    assert complaints == []
    assert [url for url in asked if not url.startswith("data:")] == [(tmp_path / "a.html").as_uri()]
    assert size[0] <= size[1]  # nothing sticks out
    assert float(colour.removesuffix("px")) > 50  # the style was allowed
    assert broken == 0


def test_the_summary_is_what_the_report_measures(gathered):
    summary = json.loads((gathered.run.path / "summary.json").read_text())
    assert summary["test_accuracy"] == gathered.result.accuracy
