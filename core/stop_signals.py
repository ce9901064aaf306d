"""Ask a process to stop by SIGTERM or SIGINT."""

import signal
import socket
import sys
import threading

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def exit_on_stop_signal() -> None:
    """End the process by SIGTERM as Ctrl-C does: what runs at an exit runs. For the main thread."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


def interrupt_on_stop_signal() -> None:
    """Raise ``KeyboardInterrupt`` at SIGTERM and at each SIGINT. For the main thread."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    for number in STOP_SIGNALS:
        signal.signal(number, interrupt)


def ignore_stop_signals() -> None:
    """Let nothing interrupt what a process does before it ends. For the main thread."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def set_on_stop_signal(stopped: threading.Event) -> None:
    """Set ``stopped`` when the process gets SIGTERM or SIGINT. For the main thread.

    Python runs a handler in the main thread, once that goes on. One that waits for an event does
    not go on if the signal came just before it began to wait, or to another thread. So the number
    of the signal, which the interpreter writes at once (``signal.set_wakeup_fd``), is read by a
    thread that sets the event.
    """
    reader, writer = socket.socketpair()
    writer.settimeout(0)  # the interpreter refuses one that may block
    signal.set_wakeup_fd(writer.fileno())

    def read() -> None:
        with reader, writer:  # open as long as signals may come
            while numbers := reader.recv(64):
                if set(numbers) & set(STOP_SIGNALS):
                    stopped.set()

    for number in STOP_SIGNALS:
        signal.signal(number, lambda *_: None)
    threading.Thread(target=read, name="stop-signals", daemon=True).start()
