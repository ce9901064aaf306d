"""Mend the SDK's batches of checkpoints, in which an update over 750 KB waits for ever.

The SDK collects the updates of an invocation in batches of at most 750 KB. An update that does not
fit goes to a queue for the next batch. One that is larger than a whole batch fits in none of them:
the handler waits for its checkpoint for ever, and its thread is lost. Lambda takes up to 1 MB
(``limits``), so it is sent alone, as the SDK itself does with the first update of a batch.

This module is the only one that uses private names of the SDK: ``state._BatchAccumulator``, from
which ``ExecutionState`` makes each batch.
"""

from typing import override

from aws_durable_execution_sdk_python import state


class Batch(state._BatchAccumulator):
    """The updates of one checkpoint request; the first one fits, however large it is."""

    @override
    def fits(self, size: int) -> bool:
        """Return whether an update of this size can join the batch."""
        return self.total_size == 0 or super().fits(size)


def mend_batches() -> None:
    """Have the handlers of this process make their batches of ``Batch``."""
    vars(state)["_BatchAccumulator"] = Batch
