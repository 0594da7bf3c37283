"""A made-up forum whose every copy is known: text, posts, and the exact truth about both.

languages   what each language contributes
vocabulary  running text of a language
noise       what happens to a passage when it is copied
listing     made-up source code
jaccard     similarity, the slow and obvious way
record      what the generator yields
board       threads and posts, and what each phenomenon looks like
cases       dumps that are hard on one part of a program
"""

from .board import LANGUAGE_NAMES, PHENOMENA, generate
from .cases import CASES
from .record import Record

__all__ = ["CASES", "LANGUAGE_NAMES", "PHENOMENA", "Record", "generate"]
