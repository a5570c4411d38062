"""Help pages: their tables say what the schemas say, their quotes what the code says, their links lead somewhere."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.nodes import doc_pages
from tests.nodes.doc_pages import DOCS, ROOT, WORDS, page, section, table

LANGUAGES = sorted(WORDS)
QUOTES = {"en": re.compile(r"(?<![*\\])\*(?=\S)([^*|]+)(?<=\S)\*(?!\*)"), "zh": re.compile("\u201c([^\u201d]+)\u201d")}
WIDGETS = re.compile("\u300c([^\u300d]+)\u300d")
# "core_nodes" in doc_words.json are display names of ComfyUI's own nodes, as its page shows them


@pytest.fixture(scope="module", params=LANGUAGES)
def language(request):
    return request.param


@pytest.fixture(scope="module")
def pages(nodes, language):
    """(schema, text of its page) of every node."""
    schemas = [node.define_schema() for node in nodes.values()]
    return [(schema, page(schema.node_id, language).read_text(encoding="utf-8")) for schema in schemas]


def written(node):
    """The text an expression is known to give, values within it shown as three dots; None for other expressions."""
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "..." for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


@cache
def spoken():
    """What the code may say: every text in it, and the sentences about packages that are not installed."""
    said = []
    for path in [*(ROOT / "nodes").rglob("*.py"), *(ROOT / "shapegen4d_core").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="ascii"))):
            said.append(written(node))
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("missing", "needed"):
                what, package = (written(part) or "..." for part in node.args[:2])
                said.append(f"{what} {package}; install it with: pip install")
    return [text for text in said if text]


def compared(found, expected, where):
    """Rows whose first cells differ, shown as they should be written."""
    wanted = "\n".join(f"| {cell} |" for cell in expected)
    assert [row[0] for row in found] == expected, f"{where}: the rows must begin with\n{wanted}"


def test_there_are_no_pages_without_a_node(nodes):
    expected = {page(name, language) for name in nodes for language in LANGUAGES}
    assert set(DOCS.rglob("*.md")) == expected


def test_sections_stand_in_one_order(pages, language):
    words = WORDS[language]
    wanted = [words[key] for key in ("inputs", "outputs", "tips", "bad")]
    for schema, text in pages:
        headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
        assert [name for name in headings if name in wanted] == wanted, schema.node_id
        assert all(section(text, name).strip() for name in headings), schema.node_id
        assert text.split("\n", 1)[0] == f"# {doc_pages.texts(language)[schema.node_id]['display_name']}"


def test_tables_of_inputs_say_what_the_schemas_say(pages, language):
    head = WORDS[language]["input_head"]
    for schema, text in pages:
        expected = [row.cell for row in doc_pages.input_rows(schema, language)]
        compared(table(section(text, WORDS[language]["inputs"]), head), expected, schema.node_id)


def test_tables_of_settings_say_what_the_schemas_say(pages, language):
    head = WORDS[language]["child_head"]
    for schema, text in pages:
        expected = [row.cell for row in doc_pages.child_rows(schema, language)]
        compared(table(section(text, WORDS[language]["inputs"]), head), expected, schema.node_id)


def test_tables_of_outputs_say_what_the_schemas_say(pages, language):
    head = WORDS[language]["output_head"]
    for schema, text in pages:
        expected = doc_pages.output_rows(schema, language)
        compared(table(section(text, WORDS[language]["outputs"]), head), expected, schema.node_id)


def test_every_row_ends_in_a_sentence(pages, language):
    words = WORDS[language]
    heads = [words[key] for key in ("input_head", "child_head", "output_head", "error_head")]
    for schema, text in pages:
        for row in (row for head in heads for row in table(text, head)):
            assert len(row[-1]) > 5 and row[-1].endswith(words["end"]), (schema.node_id, row)


def test_advanced_inputs_are_explained_where_there_are_some(pages, language):
    for schema, text in pages:
        rows = [*doc_pages.input_rows(schema, language), *doc_pages.child_rows(schema, language)]
        assert (WORDS[language]["advanced"] in text) == any(row.entry.advanced for row in rows), schema.node_id


def test_quoted_errors_are_what_the_code_says(pages, language):
    for schema, text in pages:
        rows = table(text, WORDS[language]["error_head"])
        assert bool(rows) == bool(section(text, WORDS[language]["errors"])), schema.node_id
        for quote, _ in rows:
            assert any(quote.strip("`") in said for said in spoken()), (schema.node_id, quote)


def test_nodes_that_pages_name_exist(pages, language):
    known = {entry["display_name"] for entry in doc_pages.texts(language).values()}
    known |= set(WORDS[language]["core_nodes"])
    for schema, text in pages:
        named = {" ".join(name.split()) for name in QUOTES[language].findall(re.sub(r"`[^`]*`", "", text))}
        assert named <= known, (schema.node_id, named - known)


def test_widgets_that_chinese_pages_name_exist(nodes):
    names = set()
    for entry in doc_pages.texts("zh").values():
        names |= {given["name"] for given in (*entry["inputs"].values(), *entry.get("outputs", {}).values())}
    for name in nodes:
        named = set(WIDGETS.findall(page(name, "zh").read_text(encoding="utf-8")))
        assert named <= names, (name, named - names)


def test_relative_links_lead_somewhere(nodes, language):
    for name in nodes:
        path = page(name, language)
        for link in re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8")):
            assert link.startswith("https://") or (path.parent / link).is_file(), (name, link)


def test_pages_of_a_language_quote_the_same_errors(nodes):
    for name in nodes:
        quoted = [
            [row[0] for row in table(page(name, language).read_text(encoding="utf-8"), WORDS[language]["error_head"])]
            for language in LANGUAGES
        ]
        assert all(entry == quoted[0] for entry in quoted), name
