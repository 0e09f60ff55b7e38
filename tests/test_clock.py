"""The clock that stands still while kernels are compiled."""

import threading
import time

from whygrad.clock import held, working_time


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
