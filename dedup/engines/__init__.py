"""Where the steps run. Steps never import an engine; the pipeline is given one.

base      the seam: what an engine must offer
local     processes and threads of one machine
processes processes that may die at any moment
messages  what travels between them
spark     tasks of a Spark cluster
session   the cluster: attached to or started, and what is missing for that
wire      what travels to tasks and back
"""
