"""Values that are hard to write in one format or another, and names for them."""

from __future__ import annotations

NASTY = {
    "EMPTY": b"",
    "PLAIN": b"postgresql://app:s3cret@db.internal:5432/app?sslmode=require",
    "BLANKS": b"  two  words\t ",
    "ONLY_BLANKS": b"   ",
    "SINGLE": b"it's",
    "DOUBLE": b'say "hi"',
    "BOTH": b"""it's "both" """,
    "QUOTED": b"'quoted'",
    "DOUBLE_QUOTED": b'"quoted"',
    "BACKSLASHES": rb"C:\new\\temp\'x'\"",
    "LAST_BACKSLASH": b"ends with \\",
    "DOLLAR": b"pa$$w0rd $HOME $(id) `id` $1",
    "DOLLAR_AND_QUOTE": b"it's $HOME `id` \\\\",
    "BRACED": b"${HOME} ${NOPE:-x}",
    "BRACES": b"{{ vault:db#password }} {a,b}",
    "HASH": b"# no comment",
    "HASH_INSIDE": b"a # b",
    "SEMICOLON": b"; rm -rf / && echo !",
    "EQUALS": b"=a=b==",
    "PERCENT": b"100%25 %0A %0D%",
    "NEWLINES": b"\n-----BEGIN KEY-----\nMIIB+w==\n-----END KEY-----\n\n",
    "CRLF": b"one\r\ntwo\r\n",
    "CR_INSIDE": b"one\rtwo",
    "CR_AND_QUOTES": b"\r'\"\\$`\\r",
    "TAB": b"\t",
    "CONTROL": b"\x01\x1b[31m\x7f",
    "NUL": b"a\0b",
    "UNICODE": "naïve €uro 😀 \u202e".encode(),
    "BREAKS": "a\x85b\u2028c\u2029d\x0be\x0cf".encode(),
    "BOM": "\ufeffx".encode(),
    "NONCHARACTER_1": "\ufdd0".encode(),
    "NONCHARACTER_2": "\uffff".encode(),
    "NONCHARACTER_3": "\U0001fffe".encode(),
    "LATIN1": b"caf\xe9",
    "BINARY": bytes(range(1, 256)),
    "YAML_TRUE": b"yes",
    "YAML_NULL": b"~",
    "YAML_NUMBER": b"1e3",
    "YAML_DATE": b"2024-01-01",
    "YAML_TAG": b"!!python/object/apply:os.system [id]",
    "YAML_ANCHOR": b"&a *a",
    "YAML_KEY": b"a: b",
    "HEREDOC": b"X<<EOF\nEOF",
    "ADD_MASK": b"::add-mask::x",
    "CIPHERTEXT": b"encrypted:BD7g",
    "LONG": b"x" * 60_000,
}

# characters that readers treat specially, at every place that a reader may check
_PIECES = (
    *("'", '"', "\\", "\\\\", "$", "$$", "${", "`", "#", " #", "=", "%", "!", "~", "*", "?", "&"),
    *("|", ";", "<", ">", "(", ")", "{", "}", "[", "]", ":", ",", "@", "-", "\n", "\r\n", "\t"),
    *("\\n", "\\'", '\\"', "\\$", "\\`", "$HOME", "$(id)", "`id`", "{{ x }}", "é", "😀", "\u2028"),
)

_FORMS = ("{p}", "a{p}b", " {p}", "{p} ", "it's $HOME{p}")


def hard_values() -> dict[str, bytes]:
    """Return 200 and more values, the same each time."""
    texts = [form.replace("{p}", piece) for piece in _PIECES for form in _FORMS]
    values = dict.fromkeys([*NASTY.values(), *(text.encode() for text in texts)])
    return {f"V{number}": value for number, value in enumerate(values)}
