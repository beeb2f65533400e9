"""Every template is checked for what the Content-Security-Policy would break silently.

Under the strict policy htmx drops trigger filters and still sends the request, ignores hx-on and
js: values, and the browser ignores inline style and script: nothing fails loudly, so this does.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
ROOMS = ("mediaflow", "library", "transcode", "servers", "cloud")
TEMPLATES = sorted(
    path
    for folder in (ROOT / "templates", *(ROOT / room for room in ROOMS))
    for path in folder.rglob("*.html")
    if "static" not in path.relative_to(ROOT).parts
)
STATIC = ROOT / "mediaflow" / "static" / "mediaflow"
CHANGING = ("hx-post", "hx-put", "hx-patch", "hx-delete")
ASSET_ATTRIBUTES = {"script": "src", "link": "href", "img": "src", "use": "href", "source": "src"}
COMMENT = re.compile(r"{%\s*comment\b.*?{%\s*endcomment\s*%}|{#.*?#}", re.DOTALL)
TAG = re.compile(r"{%\s*(\w+).*?%}", re.DOTALL)
SPEAKING_TAGS = {"url", "static", "querystring", "now", "firstof", "cycle", "widthratio"}


def as_html(source: str) -> str:
    """The template with its tags taken out: what stands in values becomes x, conditions vanish."""

    def replace(match: re.Match[str]) -> str:
        name = match.group(1)
        if name == "csrf_token":
            return '<input name="csrfmiddlewaretoken">'
        return "x" if name in SPEAKING_TAGS else ""

    return re.sub(r"{{.*?}}", "x", TAG.sub(replace, COMMENT.sub("", source)), flags=re.DOTALL)


class Lint(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []
        self._form: dict[str, str] | None = None
        self._has_token = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        where = f"line {self.getpos()[0]}: <{tag}>"
        self.faults += [f"{where} {fault}" for fault in self._faults_of(tag, attributes)]
        if tag == "form":
            self._form, self._has_token = attributes, False
        if attributes.get("name") == "csrfmiddlewaretoken":
            self._has_token = True

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form" and self._form is not None:
            if self._form.get("method", "").lower() == "post" and not self._has_token:
                self.faults.append(
                    f"line {self.getpos()[0]}: form with method=post lacks csrf_token"
                )
            self._form = None

    def _faults_of(self, tag: str, attributes: dict[str, str]) -> list[str]:
        faults = [
            fault for name, value in attributes.items() for fault in policy_faults(name, value)
        ]
        if tag == "style":
            faults.append("inline stylesheet")
        if tag == "script" and "src" not in attributes:
            faults.append("inline script")
        asset = attributes.get(ASSET_ATTRIBUTES.get(tag, ""), "")
        if asset.startswith(("http:", "https:", "//")):
            faults.append(f"asset from another host: {asset}")
        if tag == "a" and "hx-get" in attributes and not attributes.get("href"):
            faults.append("hx-get without href")
        return faults + self._form_faults(tag, attributes)

    def _form_faults(self, tag: str, attributes: dict[str, str]) -> list[str]:
        if not any(name in attributes for name in CHANGING):
            return []
        if tag == "form":
            missing = [name for name in ("action", "method") if not attributes.get(name)]
            return [f"hx form lacks {name}" for name in missing]
        if self._form is None or not self._form.get("action"):
            return ["changes something but is no form: does nothing without JavaScript"]
        return []


def policy_faults(name: str, value: str) -> list[str]:
    faults = []
    if name.startswith(("hx-on", "on")):
        faults.append(f"{name}: script in an attribute")
    if name == "style":
        faults.append("style attribute")
    if name == "hx-vars" or (name.startswith("hx-") and re.match(r"\s*(js|javascript):", value)):
        faults.append(f"{name}: needs eval")
    if name == "hx-trigger" and "[" in value:
        faults.append("hx-trigger filter: needs eval, and is dropped while the request still fires")
    if name == "hx-swap" and "morph:{" in value.replace(" ", ""):
        faults.append("hx-swap morph:{…}: needs eval")
    if name == "href" and value.strip().lower().startswith("javascript:"):
        faults.append("javascript: address")
    return faults


def lint(source: str) -> list[str]:
    parser = Lint()
    parser.feed(as_html(source))
    parser.close()
    return parser.faults


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_template_keeps_to_the_policy_and_works_without_scripts(path: Path) -> None:
    assert lint(path.read_text()) == []


@pytest.mark.parametrize(
    "source",
    [
        '<button hx-on:click="go()">',
        '<p onclick="go()">',
        '<p style="width: 3%">',
        "<style>p {}</style>",
        "<script>go()</script>",
        """<div hx-vals='js:{"a": 1}'></div>""",
        '<div hx-vars="a:1"></div>',
        """<div hx-get="/x" hx-trigger="every 2s [!document.hidden]"></div>""",
        '<div hx-swap="morph:{morphStyle: 1}"></div>',
        '<a hx-get="{% url "x" %}">more</a>',
        '<a href="javascript:go()">more</a>',
        '<form hx-post="/x">{% csrf_token %}</form>',
        '<form method="post" action="/x" hx-post="/x"></form>',
        '<form method="post" action="/x"></form>',
        '<button hx-post="/x">Go</button>',
        '<script src="https://cdn.example/x.js"></script>',
        '<link rel="stylesheet" href="//cdn.example/x.css">',
        '<img src="http://poster.example/1.jpg">',
    ],
)
def test_lint_finds_each_trap(source: str) -> None:
    assert lint(source) != []


@pytest.mark.parametrize(
    "source",
    [
        '{% comment %}<p style="x">{% endcomment %}<p>fine</p>',
        '<a href="{% url "x" %}" hx-get="{% url "x" %}">more</a>',
        '<form method="post" action="/x" hx-post="/x">{% csrf_token %}<button>Go</button></form>',
        '<p{% if a == "b" %} class="c"{% endif %}>{{ d|default:"e" }}</p>',
        '<a href="https://www.themoviedb.org/">elsewhere</a>',
        '<body hx-headers=\'{"X-CSRFToken": "{{ csrf_token }}"}\'></body>',
    ],
)
def test_lint_leaves_good_markup_alone(source: str) -> None:
    assert lint(source) == []


@pytest.mark.parametrize(
    "path", sorted(STATIC.glob("js/*.js")), ids=lambda path: str(path.relative_to(STATIC))
)
def test_scripts_need_no_eval_and_build_no_html_from_text(path: Path) -> None:
    source = path.read_text()
    assert not re.search(
        r"\beval\(|\bFunction\(|\.innerHTML|\.outerHTML|insertAdjacentHTML", source
    )
    assert not re.search(r"""setAttribute\(["']style""", source)
    assert "http" not in re.sub(r"//.*", "", source)


@pytest.mark.parametrize(
    "path", sorted(STATIC.glob("css/*.css")), ids=lambda path: str(path.relative_to(STATIC))
)
def test_stylesheets_fetch_nothing(path: Path) -> None:
    assert not re.search(r"@import|url\(\s*['\"]?(?!#)", path.read_text())
