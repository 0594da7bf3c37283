"""What a run removed, in numbers and on screen.

ratios      RESULTS batches → counts and ratios (report.json)
recount     an output folder → the same, counted again
languages   an output folder → ratios by language
terminal    ratios → 80 columns
tables      ratios → CSV, Markdown
build       an output folder → its report page, made of
  survey      provenance → distributions, and posts whose evidence is shown
  evidence    those posts and their sources → cards, side by side
  excerpt     a long text → the pieces that matter
  plots       distributions → SVG
  page        all of it → one HTML file
explained   one post's explanation → 80 columns; explained_page: a page
tuned       what settings would do to a sample → 80 columns; tuned_page: a page
difference  two texts → the words in which they differ
visible     untrusted text → text that is safe to print
"""
