"""An engine with the test functions in a process of its own, to be killed.

``python -m tests.functions.local.engine_process DATA PORT``
"""

import sys
import threading
from pathlib import Path

from core.stop_signals import set_on_stop_signal
from functions.local.engine import LocalEngine
from functions.local.errors import EngineError
from tests.functions.local.handlers import FUNCTIONS


def main(data: Path, port: int) -> int:
    """Serve until SIGTERM."""
    asked_to_stop = threading.Event()
    set_on_stop_signal(asked_to_stop)
    engine = LocalEngine(
        functions=FUNCTIONS,
        data=data,
        port=port,
        retry_backoff_seconds=1,
        event_retry_delays=(0.2, 0.4),
        death_delays=(0.0, 0.1, 0.1, 0.1, 0.2, 0.2, 0.4),
    )
    try:
        engine.start()
    except EngineError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    print(f"ready port={engine.port} recovered={engine.recovered.total}", flush=True)  # noqa: T201
    asked_to_stop.wait()
    engine.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
