"""Take the pictures of docs/guides/diff.md again: docs/images/diff-*.png.

It runs the real command in an example project, on a real terminal and in a real Chromium.
Run `make test-extra` first: it installs the tools. Needs the packages of the extra `test`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
COLUMNS = 80

sys.path.insert(0, str(ROOT / "tests"))
from support.chromium import Chromium  # noqa: E402
from support.terminal import run_on_terminal  # noqa: E402

FILES = {
    "profiles/base.toml": """\
[variables]
NODE_ENV = { type = "enum", choices = ["development", "staging", "production"] }
PORT = { value = "8080", type = "port" }
LOG_LEVEL = "debug"
DATABASE_URL = "postgresql://app:{{ DB_PASSWORD | urlencode }}@{{ DB_HOST }}:5432/app"
STRIPE_KEY = "{{ STRIPE_KEY }}"
SESSION_SECRET = "{{ SESSION_SECRET }}"
CORS_ORIGINS = "https://app.example.com,https://admin.example.com"
""",
    "profiles/dev.toml": """\
extends = "base"
[variables]
NODE_ENV = "development"
DB_HOST = "localhost"
SMTP_TOKEN = "{{ SMTP_TOKEN }}"
""",
    "profiles/test.toml": """\
extends = "dev"
[variables]
DB_HOST = "db.test.internal"
""",
    "profiles/staging.toml": """\
extends = "base"
[variables]
NODE_ENV = "staging"
DB_HOST = "db.staging.internal"
CORS_ORIGINS = "https://app.example.com,https://staging.example.com"
SMTP_TOKEN = "sm-4f9a8b7c6d5e4f3a2b1c"
""",
    "profiles/prod.toml": """\
extends = "base"
[variables]
NODE_ENV = "production"
DB_HOST = "db.internal"
LOG_LEVEL = "info"
SENTRY_DSN = "{{ SENTRY_DSN }}"
SMTP_TOKEN = "{{ SMTP_TOKEN }}"
""",
    ".env.dev": """\
DB_PASSWORD=local-battery-staple
STRIPE_KEY=sk_test_51HxExample
SESSION_SECRET=development-session-secret-0123456789ab
SMTP_TOKEN=sm-development-5647382910
""",
    ".env.test": """\
DB_PASSWORD=test-battery-staple
STRIPE_KEY=sk_test_51HxSecond0
SESSION_SECRET=test-session-secret-0123456789abcdef012
SMTP_TOKEN=sm-test-9081726354
""",
    ".env.staging": """\
DB_PASSWORD=correct-horse-battery
STRIPE_KEY=sk_live_51HxExample
SESSION_SECRET=staging-session-secret-0123456789abcdef
""",
    ".env.prod": """\
DB_PASSWORD=correct-horse-battery
STRIPE_KEY=sk_live_51HxExample
SESSION_SECRET=production-session-secret-fedcba9876543210
SENTRY_DSN=https://5f4dcc3b5aa7@sentry.example.com/7
SMTP_TOKEN=sm-production-1029384756
""",
}
# background, text, and black, red, green, yellow, blue, magenta, cyan, white
THEME = TerminalTheme(
    (26, 29, 34),
    (215, 218, 224),
    [
        *((40, 44, 52), (255, 120, 110), (127, 207, 156), (230, 184, 92)),
        *((133, 184, 242), (207, 163, 238), (104, 199, 210), (215, 218, 224)),
    ],
)
TERMINAL = """\
<!doctype html><meta charset="utf-8"><style>
body { margin: 0; padding: 1.25rem 1.5rem; background: #1a1d22; width: max-content; }
pre { margin: 0; font: 15px/1.45 "DejaVu Sans Mono", monospace; color: #d7dae0; }
</style><pre><span style="color:#7fcf9c">$</span> """


def main() -> None:
    """Take all the pictures."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name, text in FILES.items():
            path = root / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            path.chmod(0o600 if path.name.startswith(".env") else 0o644)
        command = ["diff", "staging", "prod"]
        matrix = ["diff", "dev", "test", "staging", "prod", "--format", "matrix"]
        for name, line in (("table", command), ("matrix", matrix)):
            shown, _ = run_on_terminal(*line, cwd=root, columns=COLUMNS)
            (root / f"{name}.html").write_text(
                f"{TERMINAL}envkit {escape(' '.join(line))}\n{as_html(shown)}</pre>",
                encoding="utf-8",
            )
        page = root / "page.html"
        subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "envkit", *command, "-f", "html", "-o", str(page)],
            cwd=root,
            check=True,
        )
        (root / "chromium").mkdir()
        with Chromium(root / "chromium") as browser:
            take(browser, root / "table.html", "diff-table", width=800)
            take(browser, root / "matrix.html", "diff-matrix", width=800)
            take(browser, page, "diff-html", width=1000)
            take(browser, page, "diff-html-dark", width=1000, dark=True)


def as_html(ansi: str) -> str:
    """Return the output of a terminal as HTML with its colours."""
    with open("/dev/null", "w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True)
        console.print(Text.from_ansi(ansi), end="")
    return console.export_html(theme=THEME, inline_styles=True, code_format="{code}")


def take(browser: Chromium, page: Path, name: str, *, width: int, dark: bool = False) -> None:
    """Show a page in its full height, and save its picture."""
    browser.open(page, width=width, dark=dark)
    height = browser.value("Math.ceil(document.body.getBoundingClientRect().height)")
    browser.open(page, width=width, height=height, dark=dark)
    (IMAGES / f"{name}.png").write_bytes(browser.picture())


if __name__ == "__main__":
    main()
