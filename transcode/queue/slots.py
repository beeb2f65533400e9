"""What `transcode` asks of whoever owns machines: a slot for one ffmpeg. `servers` registers it."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Protocol

from django.conf import settings

from mediaflow.base.hooks import hooked
from mediaflow.base.settings_store import get_setting

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager


class Slot(Protocol):
    """A place for one ffmpeg on some machine, held while the context lasts."""

    @property
    def server_name(self) -> str: ...

    @property
    def index(self) -> int: ...

    def beat(self) -> None:
        """Move the slot's heartbeat; called with each heartbeat of the job."""
        ...


class SlotProvider(Protocol):
    def acquire(
        self, kind: str, job_id: int, *, checkpoint: Callable[[], None]
    ) -> AbstractContextManager[Slot]:
        """Wait for a slot of a kind (encode, sample, decode, score).

        `checkpoint` is called as long as there is none, and may raise. Raises JobWaits where none
        is given out at present.
        """
        ...

    def refuse_switched_off(self) -> None:
        """Raises JobWaits where a job would find every machine switched off."""
        ...

    def is_switched_off(self) -> bool:
        """Whether every machine is."""
        ...


class _NoSlot:
    """Where no provider is registered (a room's own tests): this process, without a limit."""

    server_name = "this machine"
    index = 0

    def beat(self) -> None:
        return None


def acquire_slot(
    kind: str, job_id: int, *, checkpoint: Callable[[], None]
) -> AbstractContextManager[Slot]:
    """A slot from the registered provider, as a context manager."""
    provider = _provider()
    if provider is None:
        return nullcontext(_NoSlot())
    return provider.acquire(kind, job_id, checkpoint=checkpoint)


def refuse_switched_off() -> None:
    """Asked before a film is read. Raises JobWaits."""
    provider = _provider()
    if provider is not None:
        provider.refuse_switched_off()


def is_switched_off() -> bool:
    """Whether no machine takes a job: then none is claimed, or each would be begun in vain."""
    provider = _provider()
    return provider is not None and provider.is_switched_off()


def _provider() -> SlotProvider | None:
    providers = hooked("slot_provider")
    if not providers:
        return None
    provider: SlotProvider = providers[0]()
    return provider


def parallel_limit() -> int:
    """Films at once on this machine: the setting, or MEDIAFLOW_JOBS."""
    chosen: int | None = get_setting("jobs_parallel")
    environment: int = settings.ENVIRONMENT.jobs
    return chosen or environment
