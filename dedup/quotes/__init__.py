"""Copied passages: which words of a post were first said elsewhere, and where.

find         the step as a whole: what the pipeline calls
spans        what the steps hand on: passages and their exact runs
threads      which posts can quote one another
attribution  lines that announce a quote ("X wrote:"), in many languages
marks        quotes that the dump itself marks
within       passages of earlier posts of the same thread
across       passages of earlier posts anywhere in the corpus
repeated     signatures and stock text, over all posts
boilerplate  the kernels that find and count those
align        the kernels they share: exact runs, chained over small gaps
"""
