"""What became of a hardware encoder within one job: how many run, without what, and what is next.

One object for each run of a job, kept on its main thread. Pure: the caller encodes, logs and plans
anew where the answer is another encoder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from transcode.encoders.answers import Answer, AnswerKind, next_try, reduced
from transcode.encoders.failures import FailureKind, classify

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transcode.encoders.model import VideoEncoder


class Fallback:
    """`sessions`: encodes that may run at once from now on."""

    def __init__(
        self, encoder: VideoEncoder, sessions: int, *, has_other_encoder: bool = False
    ) -> None:
        self.sessions = max(1, sessions)
        self.has_software_decode = False  # decoding on the device is switched off
        self._encoder = encoder
        self._has_other_encoder = has_other_encoder
        self._tried: list[AnswerKind] = []
        self._dropped: list[str] = []
        self._has_finished_one = False

    def finished_one(self) -> None:
        """A chunk came out well: from now on its options stay as they are.

        Chunks with other options may have other parameter sets and would not join.
        """
        self._has_finished_one = True

    def options(self, video_options: Sequence[str]) -> tuple[str, ...]:
        """The plan's options of the video without what the device does not know."""
        if not self._dropped:
            return tuple(video_options)
        return reduced(video_options, self._dropped)

    def react(self, stderr_lines: Sequence[str], return_code: int) -> Answer:
        """What to do about a failed encode; FEWER_SESSIONS and REDUCED_OPTIONS are done already.

        OTHER_ENCODER, SOFTWARE: plan anew; the chunks of this encoder cannot be used there.
        GIVE_UP: the failure is not one that another way of encoding answers.
        """
        failure = classify(stderr_lines, return_code)
        tried = list(self._tried)
        if self._has_finished_one and failure.kind == FailureKind.CAPABILITY:
            tried += [AnswerKind.REDUCED_OPTIONS] * 3
        answer = next_try(
            failure,
            tried,
            is_hardware=self._encoder.is_hardware,
            has_other_encoder=self._has_other_encoder,
            sessions=self.sessions,
        )
        self._tried.append(answer.kind)
        if answer.kind == AnswerKind.FEWER_SESSIONS:
            self.sessions = max(1, self.sessions // 2)
        elif answer.kind == AnswerKind.REDUCED_OPTIONS:
            self._dropped += [name for name in answer.drop if name not in self._dropped]
        elif answer.kind == AnswerKind.NO_HARDWARE_DECODE:
            self.has_software_decode = True
        return answer
