"""`dedup clean` measured against its peers: used by scripts/bench.py.

    measure      a command → time, memory and CPU of it and all that it starts
    peers        an environment of their own for the peers
    contestants  who runs, with which command
    look         what is asked of libraries, in a process of its own
    rounds       contestants run in turns on a dump
    growth       dedup run on dumps of growing size
    results      figures → Markdown and JSON
    drawing      figures → SVG

The measuring process imports nothing big: a process counts as its own peak what its parent had in memory
when it was started.
"""
