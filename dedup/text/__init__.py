"""Words and shingles: the kernels shared by quotes, sketch and match.

tables  what is a word character and how it folds; how rare words are
tokens  posts → words (hash, place, what line they stand on)
shingles  words → hashed shingles, sets of them, Jaccard similarity
"""
