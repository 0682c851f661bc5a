import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from seqtrain.signals import STOPPING, stop_on_signal


@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_raises_the_flag_and_handlers_come_back(number):
    before = signal.getsignal(number)
    with stop_on_signal() as flag:
        os.kill(os.getpid(), number)
        assert flag.received == signal.Signals(number).name
        if number != signal.SIGINT:
            os.kill(os.getpid(), number)  # a scheduler may insist
    assert signal.getsignal(number) is before


def test_the_first_signal_is_the_reason():
    with stop_on_signal() as flag:
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGTERM)
        assert flag.received == "SIGUSR1"


def test_a_second_ctrl_c_ends_the_process_at_once():
    with stop_on_signal():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_a_thread_that_may_not_listen_gets_a_flag_that_stays_down():
    def flag_of() -> str | None:
        with stop_on_signal() as flag:
            return flag.received

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(flag_of).result() is None
