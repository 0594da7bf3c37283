"""Copied passages: which words of a post were first said elsewhere, and where.

find         the step as a whole: what the pipeline calls
threads      which posts can quote one another
attribution  lines that announce a quote ("X wrote:"), in many languages
within       passages of earlier posts of the same thread
across       passages of earlier posts anywhere in the corpus
boilerplate  signatures and stock text
align        the kernels they share: exact runs, chained over small gaps
"""
