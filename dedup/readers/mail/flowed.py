"""Lines that a mail program wrapped so that they can be joined again (format=flowed, RFC 3676)."""

from __future__ import annotations


def unflow(text: str, delete_space: bool) -> str:
    """A text with its flowed lines joined and its stuffed spaces taken off.

    A line flows on into the next one of the same quote depth when it ends in a space; the line of a
    signature, `-- `, does not. `delete_space` (DelSp=yes): that space was put there for the wrapping.

    >>> unflow("> one \\n> two\\nthree \\n four", False)
    '> one two\\nthree four'
    """
    lines: list[str] = []
    parts: list[str] = []  # of the paragraph that flows on
    flows_at = -1  # its depth
    for line in text.split("\n"):
        body = line.lstrip(">")
        depth = len(line) - len(body)
        if body.startswith(" "):
            body = body[1:]
        if flows_at >= 0 and (depth != flows_at or body == "-- "):
            lines.append("".join(parts))
            parts, flows_at = [], -1
        if flows_at < 0 and depth:
            parts.append(">" * depth + " ")
        flows = body.endswith(" ") and body != "-- "
        parts.append(body[:-1] if flows and delete_space else body)
        if flows:
            flows_at = depth
        else:
            lines.append("".join(parts))
            parts, flows_at = [], -1
    if parts:
        lines.append("".join(parts))
    return "\n".join(lines)
