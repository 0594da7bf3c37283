"""What a run removed, in numbers and on screen.

ratios      RESULTS batches → counts and ratios (report.json)
recount     an output folder → the same, counted again
terminal    ratios → 80 columns
explained   one post's explanation → 80 columns
visible     untrusted text → text that is safe to print
"""
