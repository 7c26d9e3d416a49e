"""Chinese pages: search, lines that are broken in the source, and the language of the page.

Search treats words as in English, and runs of Chinese characters as overlapping pairs of characters. Sphinx indexes such a run as one word
unless the package ``jieba`` splits it, and the search page does not split a query. Here the index and the query are split by the same
rule, so that a query finds every page that contains its pairs.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.search.en import SearchEnglish

_BREAK = re.compile(r"(?<=[\u3000-\u9fff\uff00-\uffef])\n(?=[\u3000-\u9fff\uff00-\uffef])")
_PARTS = re.compile(r"[\u3400-\u9fff]+|[^\W\u3400-\u9fff]+")


class SearchEnglishAndChinese(SearchEnglish):
    """English words, stemmed, and pairs of Chinese characters."""

    lang = "en"
    language_name = "English"  # Sphinx names the JavaScript stemmer by it
    js_splitter_code = r"""
var splitQuery = function (query) {
  const parts = query.match(/[\u3400-\u9fff]+|(?:(?![\u3400-\u9fff])[\p{L}\p{N}_])+/gu) || [];
  return parts.flatMap((part) =>
    /^[\u3400-\u9fff]{3,}$/.test(part) ? Array.from(part).slice(1).map((_, at) => part.slice(at, at + 2)) : [part]
  );
};
"""

    def split(self, input: str) -> list[str]:
        """Return the words of a text, with each run of Chinese characters as its overlapping pairs."""
        words: list[str] = []
        for part in _PARTS.findall(input):
            if "\u3400" <= part[0] <= "\u9fff" and len(part) > 2:
                words += [part[at : at + 2] for at in range(len(part) - 1)]
            else:
                words.append(part)
        return words


def joined(text: str) -> str:
    """Return a text without the line breaks between Chinese characters, which a browser would show as spaces."""
    return _BREAK.sub("", text)


def join_lines(app: Any, document: nodes.document) -> None:
    """Join the lines of Chinese paragraphs."""
    for node in list(document.findall(nodes.Text)):
        if "\n" in node and not isinstance(node.parent, nodes.literal_block):
            node.parent.replace(node, nodes.Text(joined(str(node))))


def set_language(app: Any, page: str, template: str, context: dict[str, Any], document: nodes.document | None) -> None:
    """Mark the pages below ``zh`` as Chinese."""
    if page.startswith("zh/"):
        context["language"] = "zh-CN"


def setup(app: Any) -> dict[str, bool]:
    """Register the search language and the joining of lines."""
    app.connect("doctree-read", join_lines)
    app.connect("html-page-context", set_language)
    app.add_search_language(SearchEnglishAndChinese)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
