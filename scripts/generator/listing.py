"""Made-up source code, and the corrected copy somebody else posts."""

from __future__ import annotations

import random

_NAMES = (
    "count",
    "index",
    "level",
    "speed",
    "ratio",
    "angle",
    "timer",
    "state",
    "value",
    "total",
    "limit",
    "step",
)
_CALLS = ("read_sensor", "set_motor", "wait_for", "log_line", "clamp", "next_frame", "write_pin", "store")


def listing(draw: random.Random) -> str:
    """A function of 6 to 16 lines."""

    def name() -> str:
        return f"{draw.choice(_NAMES)}{draw.randint(1, 9)}"

    lines = [f"int {draw.choice(_CALLS)}_{draw.randint(10, 999)}(int {name()}, int {name()})", "{"]
    for _ in range(draw.randint(4, 12)):
        a, b, number = name(), name(), draw.randint(0, 4096)
        lines.append(
            draw.choice(
                (
                    f"    int {a} = {draw.choice(_CALLS)}({b}, {number});",
                    f"    if ({a} > {number}) {{ {b} = {a} - {draw.randint(1, 64)}; }}",
                    f"    {a} += {b} * {number};",
                    f"    for (int i = 0; i < {number}; i++) {a} = {draw.choice(_CALLS)}(i, {b});",
                    f"    {draw.choice(_CALLS)}({a}, 0x{number:04x}); // {b}",
                )
            )
        )
    return "\n".join([*lines, f"    return {name()};", "}"])


def corrected(code: str, draw: random.Random) -> str:
    """The listing with one or two lines changed."""
    lines = code.split("\n")
    for at in draw.sample(range(2, len(lines) - 1), k=min(draw.randint(1, 2), len(lines) - 3)):
        name = f"{draw.choice(_NAMES)}{draw.randint(1, 9)}"
        call, number = draw.choice(_CALLS), draw.randint(0, 255)
        lines[at] = f"    {name} = {call}({number}); // fixed"
    return "\n".join(lines)
