"""Where the steps run. Steps never import an engine; the pipeline is given one.

base   the seam: what an engine must offer
local  processes and threads of one machine
"""
