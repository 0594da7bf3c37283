"""The kernel that writes texts of pages: what plain Python makes of the same HTML."""

from __future__ import annotations

import plain_render
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from dedup.readers.pages.names import HeaderNames
from dedup.readers.pages.render import Body, render

WORDS = ["text", "a b", " ", "\n", "\t", "- ", "&nbsp;", "&amp;", "&lt;b&gt;", "&quot;", "&#13;", "&#13;\n"]
WORDS += ["…", "...", "é", "日本", "wrote:", "Ann ", "Bo:", "&#12;x", "\u2003"]
TAGS = [
    "<br>",
    "<br>",
    "<br>\n",
    "<p>",
    "</p>",
    "<b>",
    "</b>",
    "<i>",
    "</i>",
    "<span>",
    "</span>",
    "<div>",
    "</div>",
    "<em>",
    "</em>",
    "<hr>",
    "<h3>",
    "</h3>",
]
TAGS += [
    "<ul><li>",
    "<li>",
    "</ul>",
    "<ol>",
    "</ol>",
    "<pre>",
    "</pre>",
    "<dl><dt>",
    "<dd>",
    "</dl>",
    "<blockquote>",
    "</blockquote>",
]
TAGS += [
    "<textarea>\n",
    "</textarea>",
    "<svg><foreignObject>",
    "</svg>",
    "<button>",
    "</button>",
    "<o:p>",
    "</o:p>",
    "<td>",
    "<th>",
]
TAGS += [
    "<table><tr><td>",
    "</td></tr></table>",
    "<br class=x>",
    "<li class=x>",
    '<x y="a>b<c">',
    "<!-- c -->",
    '<!-- <b> " -->',
    "<script>a<b</script>",
    "<b<br>",
    '<i"x="y">',
    "<svg><style><",
    "<plaintext>",
]
LINKS = [
    "</a>",
    "<a name=x>",
    "<a href='http://example.org/a/very/long/address/x'>http://example.org/a/v...</a>",
    "<a href='http://example.org/with a blank '>www.example.org… ",
    "<a title='x href=' href='http://q.example/?a=1&amp;b=2&quot;'>",
    "<a =href=\"x\" href='y'>",
    "<a class=quote href=x>",
    "<a href='x.php?p=77'>kirjutas</a>:",
    "<img class=smilie alt=':)'>",
    "<img src='smile.gif' alt=' '>",
    "<img src=smile.gif title='a  b'>",
]
QUOTES = [
    "<div class=quote>",
    "<td class=quote>",
    "<td class=genmed><b>Bo wrote:</b></td>",
    "<span class=genmed><b>Cyd</b> <a href='x.php?p=77'>kirjutas</a>:</span>",
    "<span class=gensmall>",
    "<div class=quoteheader>Zitat von: Bo</div>",
    "<div class=title>",
    "<div class=codebox>",
    "<dl class=codebox><dt>Code:</dt><dd>",
    "<cite>Ann wrote:</cite>",
    "<blockquote cite='f?p=12'>",
    "<blockquote data-quote='Ann' data-source='post: 5'>",
    "<aside class=quote data-username=bo data-post=2 data-topic=9>",
    "<td style='border: 1px inset' class=alt2>",
    "<div class=smallfont style='margin-bottom:2px'>",
    "Originally posted by <strong>Dee</strong>",
    "<span style='display:none'>",
]
HTML = st.lists(st.sampled_from(WORDS + TAGS + LINKS + QUOTES), max_size=30).map("".join)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(HTML, st.booleans()), max_size=4))
def test_the_kernel_writes_what_plain_python_writes(page: list[tuple[str, bool]]) -> None:
    bodies = []
    for html, plain_blockquotes in page:
        body = LexborHTMLParser(f"<div id='body'>{html}").css_first("#body")
        assert body is not None
        bodies.append((body.html or "", plain_blockquotes))
    names, again = HeaderNames(["Ann", "Bo"]), HeaderNames(["Ann", "Bo"])
    made = render([Body(html, names, plain) for html, plain in bodies])
    for row, (html, plain) in enumerate(bodies):
        expected = plain_render.render(html, again, plain)
        assert (made.texts[row], made.marks.get(row, [])) == (expected.text, expected.marks)
