"""The clock that stands still while kernels are compiled."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from whygrad.clock import held, kept_waiting, working_time


def test_it_goes_on_when_nobody_holds_it():
    began, real = working_time(), time.monotonic()
    time.sleep(0.02)
    assert abs((working_time() - began) - (time.monotonic() - real)) < 0.005


def test_it_stands_still_for_all_threads_until_the_last_lets_go():
    seen = []
    inner, outer = threading.Event(), threading.Event()

    def hold():
        with held():
            inner.set()
            outer.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    inner.wait()
    began = working_time()
    with held():
        time.sleep(0.02)
        seen.append(working_time())
    time.sleep(0.02)  # the other one still holds it
    seen.append(working_time())
    outer.set()
    thread.join()
    assert seen == [began, began]
    time.sleep(0.02)
    assert working_time() > began


def test_it_goes_on_after_an_error():
    try:
        with held():
            raise ValueError
    except ValueError:
        pass
    began = working_time()
    time.sleep(0.01)
    assert working_time() - began >= 0.01


def test_who_works_alone_is_not_kept_waiting_for_longer_than_it_takes():
    began, waited = time.monotonic(), kept_waiting()
    while time.monotonic() - began < 0.05:
        pass
    assert 0 <= kept_waiting() - waited <= time.monotonic() - began + 0.02


@pytest.mark.skipif(not Path("/proc/thread-self/schedstat").exists(), reason="the system does not tell")
def test_two_that_share_a_core_keep_each_other_waiting():
    core = min(os.sched_getaffinity(0))
    code = f"import os; os.sched_setaffinity(0, {{{core}}})\nwhile True: pass"
    seen = []

    def work():
        os.sched_setaffinity(threading.get_native_id(), {core})
        began, waited = time.monotonic(), kept_waiting()
        while time.monotonic() - began < 0.6:
            pass
        seen.append(kept_waiting() - waited)

    with subprocess.Popen([sys.executable, "-c", code]) as other:
        time.sleep(0.2)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        other.kill()
    assert 0.1 < seen[0] < 0.62
