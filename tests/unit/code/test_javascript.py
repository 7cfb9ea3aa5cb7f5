"""Which variables a JavaScript or TypeScript file reads."""

from __future__ import annotations

import pytest

from envkit.code import javascript
from support.reads import NEEDED, OPTIONAL, uses

JAVASCRIPT = {
    "process.env.A": {"A": NEEDED},
    "process.env['A']": {"A": NEEDED},
    "process.env[`A`]": {"A": NEEDED},
    "process.env?.A": {"A": NEEDED},
    "f(process.env.A!)": {"A": NEEDED},
    "f(process.env.A as string)": {"A": NEEDED},
    "globalThis.process.env.A": {"A": NEEDED},
    "import.meta.env.VITE_A; import.meta.env.MODE": {"VITE_A": NEEDED},
    "Bun.env.A": {"A": NEEDED},
    "Deno.env.get('A'); Deno.env.has('B'); Deno.env.get('C') ?? 1": {
        "A": NEEDED,
        "B": OPTIONAL,
        "C": OPTIONAL,
    },
    "`http://${process.env.A}/`": {"A": NEEDED},
    "x = process.env.A || 'd'": {"A": OPTIONAL},
    "x = process.env.A ?? 'd'": {"A": OPTIONAL},
    "x = (process.env.A as string) || process.env.B || 'd'": {"A": OPTIONAL, "B": OPTIONAL},
    "x = process.env.A || process.env.B": {"A": OPTIONAL, "B": NEEDED},
    "if (process.env.A) {}": {"A": OPTIONAL},
    "if (!process.env.A) {}": {"A": OPTIONAL},
    "x = process.env.A ? 1 : 2": {"A": OPTIONAL},
    "x = process.env.A === 'production'": {"A": OPTIONAL},
    "x = process.env.A?.split(',')": {"A": OPTIONAL},
    "if ('A' in process.env) {}": {"A": OPTIONAL},
    "const { A, B = 'd', C: c, D: d = 1, ...rest } = process.env": {
        "A": NEEDED,
        "B": OPTIONAL,
        "C": NEEDED,
        "D": OPTIONAL,
    },
    "({ A } = process.env)": {"A": NEEDED},
    "const env = process.env; env.A; env.B || 1": {"A": NEEDED, "B": OPTIONAL},
    "import { env } from 'node:process'; env.A": {"A": NEEDED},
    "import { env as e } from 'process'; e.A": {"A": NEEDED},
    "import proc from 'process'; proc.env.A": {"A": NEEDED},
    "import { env } from './settings'; env.A": {},
    "process.env[name]": {"": OPTIONAL},
    "const all = { ...process.env }": {},
    "// process.env.A\nx = 'process.env.B' /* process.env.C */": {},
    "x = /process.env.A/; y = a / process.env.B / c": {"B": NEEDED},
}


@pytest.mark.parametrize("source", JAVASCRIPT)
def test_typescript(source):
    assert uses(javascript.find(source.encode(), "TypeScript")) == JAVASCRIPT[source]


@pytest.mark.parametrize("language", ["JavaScript", "TSX"])
def test_elements_of_a_page(language):
    source = b"const App = () => <p title='process.env.NO'>process.env.NO {process.env.A}</p>"
    assert uses(javascript.find(source, language)) == {"A": NEEDED}


def test_what_javascript_sets_itself():
    source = b"process.env.A = '1'; process.env.B ??= '2'; delete process.env.C"
    assert javascript.find(source) == ([], {"A", "B", "C"})
