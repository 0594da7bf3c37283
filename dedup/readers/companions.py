"""Files that lie beside dumps and hold no posts: passed over without a word of complaint."""

from __future__ import annotations

import re

_NAMES = re.compile(
    # Hugging Face datasets: what describes the shards, and caches that hold their rows a second time
    r"dataset_infos?\.json|state\.json|dataset_dict\.json|cache-[0-9a-f]{8,}[\w.-]*\.arrow|_metadata"
    r"|_common_metadata|_SUCCESS"
    # Stack Exchange: the tables beside posts and comments
    r"|(?:Badges|PostHistory|PostLinks|Tags|Users|Votes)\.xml",
)


def is_companion(name: str) -> bool:
    """Whether a file of this name lies beside the posts of a dump, and holds none itself."""
    return _NAMES.fullmatch(name) is not None
