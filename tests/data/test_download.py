"""Downloads from a server on this machine that breaks off, lies, or is not there."""

import errno
import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.data.server import serving
from tests.data.shared import write_idx_set
from tests.ops.shared import refusal
from whygrad.data import NAMED, download, named
from whygrad.data.download import File, fetch
from whygrad.errors import FileError

CONTENT = np.random.default_rng(0).integers(0, 256, 300_000).astype(np.uint8).tobytes()
FILE = File("a.gz", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))
#: A port that nobody listens on.
NOBODY = "http://127.0.0.1:9/"


@pytest.fixture
def server():
    with serving({"a.gz": CONTENT}) as running:
        yield running


def fetching(server, folder):
    """Return a program that downloads the file into a folder."""
    call = f"fetch(File{tuple(FILE)!r}, [{server.address!r}], Path({str(folder)!r}))"
    return f"from pathlib import Path; from whygrad.data.download import File, fetch; {call}"


def left_in(folder):
    """Return the names of files with something in them."""
    return sorted(path.name for path in folder.iterdir() if path.stat().st_size)


def test_a_file_is_downloaded_once_and_then_believed_by_its_hash(server, tmp_path):
    seen = []
    for _ in range(2):
        path = fetch(FILE, [server.address], tmp_path / "cache", progress=lambda *each: seen.append(each))
        assert path.read_bytes() == CONTENT
    assert len(server.requests) == 1
    assert seen[-1] == (len(CONTENT), len(CONTENT), "a.gz")
    assert left_in(tmp_path / "cache") == ["a.gz"]


def test_a_damaged_file_in_the_cache_is_not_believed(server, tmp_path):
    (tmp_path / "a.gz").write_bytes(CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]))
    assert fetch(FILE, [server.address], tmp_path).read_bytes() == CONTENT


def test_a_connection_that_breaks_off_is_gone_on_from(server, tmp_path):
    server.breaks = 2
    assert fetch(FILE, [server.address], tmp_path).read_bytes() == CONTENT
    assert [asked for _, asked in server.requests] == [None, f"bytes={18 * 8192}-", f"bytes={27 * 8192}-"]


def test_a_later_process_goes_on_where_an_earlier_one_ended(server, tmp_path):
    server.breaks = 3
    with refusal(FileError, "broke off 3 times"):
        fetch(FILE, [server.address], tmp_path)
    assert left_in(tmp_path) == [".a.gz.part"]
    assert fetch(FILE, [server.address], tmp_path).read_bytes() == CONTENT
    assert server.requests[-1][1] == f"bytes={31 * 8192}-"
    assert left_in(tmp_path) == ["a.gz"]


def test_a_server_that_gives_no_parts_is_asked_for_the_whole(server, tmp_path):
    server.breaks, server.ranges = 1, False
    assert fetch(FILE, [server.address], tmp_path).read_bytes() == CONTENT


def test_a_damaged_part_is_noticed_and_fetched_anew(server, tmp_path):
    (tmp_path / ".a.gz.part").write_bytes(b"x" * 1000)
    assert fetch(FILE, [server.address], tmp_path).read_bytes() == CONTENT
    assert [asked for _, asked in server.requests] == ["bytes=1000-", None]


def test_a_part_that_is_too_long_is_fetched_anew(server, tmp_path):
    (tmp_path / ".a.gz.part").write_bytes(CONTENT + b"x")
    assert fetch(FILE, [server.address], tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"a.gz": CONTENT[:-1] + b"x"}, "gave other contents"),
        ({"a.gz": CONTENT + b"more"}, "gave a longer file"),
        ({}, "answered 404"),
    ],
)
def test_what_a_mirror_gives_is_checked_and_the_next_one_is_asked(server, tmp_path, files, reason):
    with serving(files) as liar:
        with pytest.raises(FileError) as caught:
            fetch(FILE, [NOBODY, liar.address], tmp_path)
        expected = f"{NOBODY} could not be reached (ConnectionError); {liar.address} {reason}"
        assert caught.value.received == expected
        assert left_in(tmp_path) == []
        assert fetch(FILE, [NOBODY, liar.address, server.address], tmp_path).read_bytes() == CONTENT


def test_a_truncated_file_is_never_taken_for_the_whole(tmp_path):
    with serving({"a.gz": CONTENT[:1000]}) as short, refusal(FileError, "a.gz: expected a mirror that gives it"):
        fetch(FILE, [short.address], tmp_path)
    assert not (tmp_path / "a.gz").exists()


@pytest.mark.parametrize("kind", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said_and_leaves_nothing(server, tmp_path, monkeypatch, kind):
    class Full:
        def __init__(self, file):
            self.file = file

        def write(self, piece):
            if self.file.tell() > 100_000:
                raise OSError(kind, os.strerror(kind))
            return self.file.write(piece)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

    opened = Path.open
    monkeypatch.setattr(
        Path,
        "open",
        lambda path, *mode, **more: (
            Full(opened(path, *mode)) if ".part" in path.name else opened(path, *mode, **more)
        ),
    )
    with refusal(FileError, f"expected room for a.gz, received {os.strerror(kind)}; free some space, or choose"):
        fetch(FILE, [server.address], tmp_path)
    assert left_in(tmp_path) == []


@pytest.mark.skipif(os.name != "posix", reason="needs limits on the size of files")
def test_a_disk_that_really_ends_leaves_nothing_that_is_believed(server, tmp_path):
    """A limit on the size of files is the nearest to a full disk that a test may make."""
    script = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from whygrad.data.download import File, fetch\n"
        "from whygrad.errors import FileError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        f"try:\n    fetch(File{tuple(FILE)!r}, [{server.address!r}], Path({str(tmp_path)!r}))\n"
        "except FileError as error:\n    sys.exit(str(error))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "expected room for a.gz, received File too large" in done.stderr
    assert "a.gz" not in left_in(tmp_path)
    assert fetch(FILE, [server.address], tmp_path).read_bytes() == CONTENT


def test_a_process_that_is_killed_while_downloading_leaves_nothing_that_is_believed(server, tmp_path):
    import time

    server.breaks = 1
    server.delay.clear()  # the first half comes, and then nothing for a while
    process = subprocess.Popen([sys.executable, "-c", fetching(server, tmp_path)], stderr=subprocess.DEVNULL)
    part, deadline = tmp_path / ".a.gz.part", time.monotonic() + 30
    while not (part.exists() and part.stat().st_size > 60_000) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()
    server.delay.set()
    assert not (tmp_path / "a.gz").exists()
    assert fetch(FILE, [server.address], tmp_path).read_bytes() == CONTENT


def test_processes_that_fill_the_cache_at_once_download_it_once(server, tmp_path):
    script = fetching(server, tmp_path)
    processes = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert len(server.requests) == 1
    assert (tmp_path / "a.gz").read_bytes() == CONTENT


@pytest.fixture
def mirrored(tmp_path, monkeypatch):
    """Serve a data set like MNIST, and make it the one that is meant by the name."""
    made = tmp_path / "made"
    write_idx_set(made)
    files = {path.name: path.read_bytes() for path in made.iterdir()}
    known = tuple(
        File(file.name, hashlib.sha256(files[file.name]).hexdigest(), len(files[file.name]))
        for file in NAMED["mnist"].files
    )
    monkeypatch.setenv("WHYGRAD_CACHE_DIR", str(tmp_path / "cache"))
    with serving(files) as running:
        monkeypatch.setitem(
            named.NAMED, "mnist", replace(NAMED["mnist"], files=known, mirrors=(NOBODY, running.address))
        )
        yield running


def test_a_named_set_is_downloaded_into_the_cache_and_read_from_there(mirrored, tmp_path):
    for _ in range(2):
        train, test = NAMED["mnist"].load()
        assert (len(train.labels), len(test.labels)) == (200, 50)
    assert len(mirrored.requests) == 4
    assert len(left_in(tmp_path / "cache/data/mnist")) == 4


def test_offline_one_sentence_says_where_to_put_which_files(monkeypatch, tmp_path):
    monkeypatch.setenv("WHYGRAD_CACHE_DIR", str(tmp_path))
    offline = replace(NAMED["kmnist"], mirrors=(NOBODY,))
    with pytest.raises(FileError) as caught:
        offline.load()
    assert str(caught.value) == (
        f"kmnist: expected train-images-idx3-ubyte.gz from a mirror, received {NOBODY} could not be reached"
        " (ConnectionError); put train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz,"
        f" t10k-labels-idx1-ubyte.gz into {tmp_path}/data/kmnist, or name their folder with --data-dir"
    )


def test_offline_a_copy_that_is_not_the_published_one_is_said_to_be_there(monkeypatch, tmp_path):
    monkeypatch.setenv("WHYGRAD_CACHE_DIR", str(tmp_path))
    folder = tmp_path / "data/mnist"
    write_idx_set(folder)
    with refusal(FileError, "received a file of that name that is not the published one, and of mirrors "):
        replace(NAMED["mnist"], mirrors=(NOBODY,)).load()
    assert len(NAMED["mnist"].load(folder).train.labels) == 200


def test_the_hashes_and_sizes_are_sound():
    for each in NAMED.values():
        assert each.mirrors
        for file in each.files:
            assert len(bytes.fromhex(file.sha256)) == 32
            assert file.size > 1000
        assert all(mirror.startswith("http") and mirror.endswith("/") for mirror in each.mirrors)
    assert download._ATTEMPTS > 1
