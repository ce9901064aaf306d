"""Serve the product's functions and the bare ones from one engine: what a benchmark compares.

``python -m benchmarks.support.engine``, with the environment that ``office`` makes.
"""

import threading
from pathlib import Path

import django


def main() -> None:
    """Serve until a signal."""
    django.setup()
    from django.conf import settings

    from benchmarks.support.bare import FUNCTIONS
    from core.stop_signals import set_on_stop_signal
    from functions.local.engine import LocalEngine
    from functions.management.commands.durable_engine import configured_functions

    asked_to_stop = threading.Event()
    set_on_stop_signal(asked_to_stop)
    with LocalEngine(
        functions=configured_functions() | FUNCTIONS,
        data=Path(settings.DATA_DIR) / "engine",
        port=settings.ENGINE_PORT,
    ):
        asked_to_stop.wait()


if __name__ == "__main__":
    main()
