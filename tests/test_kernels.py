"""What the compiler does not check of kernels."""

from __future__ import annotations

import sys
from pathlib import Path

from numba.core import types
from numba.core.dispatcher import Dispatcher

from dedup.kernels import write_dump
from dedup.pipeline import clean


def test_what_has_no_reference_counts_gives_no_array_back(tmp_path: Path) -> None:
    """Its caller would count one that was never counted: the array leaks, or is gone too early."""
    clean([write_dump(tmp_path)], tmp_path / "out")
    helpers = {
        kernel
        for name, module in sys.modules.items()
        if name.startswith("dedup.")
        for kernel in vars(module).values()
        if isinstance(kernel, Dispatcher) and kernel.targetoptions.get("_nrt") is False
    }
    compiled = [signature for kernel in helpers for signature in kernel.nopython_signatures]
    assert len(compiled) > 10
    for signature in compiled:
        given = signature.return_type
        for part in given if isinstance(given, types.BaseTuple) else [given]:
            assert not isinstance(part, types.Array), signature
