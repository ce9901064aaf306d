"""A step that kills its process fails in the end, as on Lambda; the others go on."""

import json
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError

from functions.local.engine import LocalEngine
from tests.functions.local.handlers import FUNCTIONS, runs
from tests.functions.local.support import ENDED, EngineProcess, callback_of, client_for, start
from tests.waiting import eventually

DEATHS = 8  # of the delays of ``engine_process``, and the last


class Supervised:
    """An engine that is started again whenever it has died, as the demo's supervisor does."""

    def __init__(self, process: EngineProcess) -> None:
        self.process = process
        self.restarts = 0

    def insist(self, call: Any, *arguments: Any, **named: Any) -> Any:
        """Call until the engine lives long enough to answer."""

        def attempt() -> Any:
            try:
                return call(*arguments, **named)
            except BotoCoreError:
                if not self.process.is_alive():
                    self.process.kill()  # its pipe is closed
                    self.process.launch()
                    self.restarts += 1
                return None

        return eventually(attempt, seconds=60, what="the engine answers")

    def end_of(self, arn: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            found: dict[str, Any] = self.insist(
                self.process.client.get_durable_execution, DurableExecutionArn=arn
            )
            return found if found.get("Status") in ENDED else None  # empty: it died meanwhile

        ended = eventually(look, seconds=60, what=f"{arn} ends")
        assert ended is not None
        return ended


def test_step_that_always_kills_its_process_fails_and_innocent_executions_end_well(
    killable: EngineProcess,
) -> None:
    supervised, client, folder = Supervised(killable), killable.client, killable.folder
    common = {"effects": str(folder)}
    innocent = [start(client, "chain", f"c{n}", pause=0.1, **common) for n in range(6)]
    answered = start(client, "approval", "answered", **common)
    callback_id = callback_of(folder, "answered")
    guilty = supervised.insist(start, client, "killer", "guilty", kills=1000, **common)
    failed = supervised.end_of(guilty)
    assert (failed["Status"], failed["Error"]["ErrorType"]) == ("FAILED", "Runtime.ExitError")
    assert [supervised.end_of(arn)["Status"] for arn in innocent] == ["SUCCEEDED"] * 6
    client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b"yes")
    assert json.loads(supervised.end_of(answered)["Result"])["answer"] == "yes"
    assert runs(folder, "guilty", "killer") == supervised.restarts == DEATHS


def test_step_that_kills_its_process_a_few_times_goes_on_afterwards(
    killable: EngineProcess,
) -> None:
    supervised = Supervised(killable)
    arn = supervised.insist(
        start, killable.client, "killer", "shaky", kills=3, effects=str(killable.folder)
    )
    assert json.loads(supervised.end_of(arn)["Result"]) == "survived"
    assert supervised.restarts == 3


def test_invocation_under_way_at_a_stop_is_no_death(tmp_path: Path) -> None:
    for number in (1, 2):
        engine = LocalEngine(functions=FUNCTIONS, data=tmp_path / "data")
        engine.start()
        arn = start(client_for(engine.url), "gated", "held", effects=str(tmp_path))
        eventually(lambda number=number: runs(tmp_path, "held", "gated") == number)
        assert engine._store.load(arn).deaths == 0
        engine.stop(grace=0)
    (tmp_path / "held.gate").touch()
