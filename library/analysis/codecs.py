"""Codecs that a newer one does better than."""

from __future__ import annotations

from typing import Final

# Intermediate codecs (ProRes, FFV1, DV) are not among them: who has those, means it.
OLD_CODECS: Final = (
    *("mpeg1video", "mpeg2video", "vc1", "wmv1", "wmv2", "wmv3", "mpeg4", "msmpeg4v1"),
    *("msmpeg4v2", "msmpeg4v3", "h263", "flv1", "vp6f", "theora", "rv30", "rv40", "vp8"),
)
