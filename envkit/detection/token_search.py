"""Find the tokens of `token_shapes` in the bytes of a file. Pure.

Each shape contains a fixed text. `bytes.find` finds those a hundred times faster than a regular
expression that tries every shape at every byte; the shape is then matched only there.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from envkit.detection.token_shapes import DOTENV_KEY, SHAPES, is_made_up_token

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST = 1024  # bytes of a token that must be in the data for it to be found
CONTEXT = 64  # bytes before the fixed text of a token that may belong to it

# what -> its fixed texts; one of them is in every match
FIXED = {
    "a private key": ("PRIVATE KEY", "PuTTY-User-Key-File"),
    "an age secret key": ("AGE-SECRET-KEY-1",),
    DOTENV_KEY: ("DOTENV_PRIVATE_KEY",),
    "an AWS access key": ("AKIA", "ASIA"),
    "a GitHub token": ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
    "a GitLab token": tuple(
        f"gl{kind}-"
        for kind in ("agent", "cbt", "dt", "ft", "imt", "oas", "pat", "ptt", "rt", "soat")
    ),
    "a Slack token": (*(f"xox{kind}-" for kind in "abeoprs"), "xapp-"),
    "a Slack webhook": ("hooks.slack.com/",),
    "a Discord webhook": (".com/api/webhooks/",),
    "a Stripe secret key": ("k_live_", "k_test_"),
    "a webhook's signing secret": ("whsec_",),
    "an Anthropic key": ("sk-ant-",),
    "an OpenAI key": ("sk-",),
    "a Hugging Face token": ("hf_",),
    "a Replicate token": ("r8_",),
    "a Groq key": ("gsk_",),
    "an Azure key": ("AccountKey=", "SharedAccessKey="),
    "a Google API key": ("AIza",),
    "a Google client secret": ("GOCSPX-",),
    "a Vault token": ("hvb.", "hvs.", "hvr."),
    "a Terraform Cloud token": (".atlasv1.",),
    "a Pulumi token": ("pul-",),
    "a Doppler token": tuple(f"dp.{kind}." for kind in ("audit", "ct", "pt", "sa", "scim", "st")),
    "a 1Password token": ("ops_eyJ",),
    "a DigitalOcean token": ("_v1_",),
    "a Docker Hub token": ("dckr_",),
    "an npm token": ("npm_",),
    "a PyPI token": ("pypi-AgE",),
    "a RubyGems key": ("rubygems_",),
    "a SendGrid key": ("SG.",),
    "a Mailchimp key": ("-us",),
    "a Mailgun key": ("key-",),
    "a Brevo key": ("xkeysib-",),
    "a Resend key": ("re_",),
    "a Shopify token": ("shpat_", "shpca_", "shppa_", "shpss_"),
    "a Square token": ("sq0",),
    "a Telegram bot token": (":AA",),
    "a Grafana token": ("glc_", "glsa_"),
    "a New Relic key": ("NRAK-",),
    "a Sentry token": ("sntry", "sntru"),
    "a Databricks token": ("dapi",),
    "a PlanetScale credential": ("pscale_",),
    "a Supabase secret": ("sb_secret_", "sbp_"),
    "an Atlassian token": ("ATATT3",),
    "a Linear key": ("lin_api_", "lin_oauth_"),
    "a Notion token": ("ntn_",),
    "a Figma token": ("figd_",),
    "a Tailscale key": ("tskey-",),
    "a Netlify token": ("nfp_",),
    "a Laravel key": ("base64:",),
    "HTTP credentials": ("Basic ", "Bearer "),
    "a JSON web token": ("eyJ",),
}
# programs that read keys name the first line of one; a key also has a body
_BODY = {"a private key": r"(?:\\[nr]|[\s\"'+,]|[A-Za-z-]+: [^\n]*\n){1,40}[A-Za-z0-9+/]{20}"}


class FoundToken(NamedTuple):
    """A token in data: what it is, and its first byte and the byte after its last one."""

    what: str
    start: int
    end: int


_COMPILED = {
    what: re.compile(f"(?:{form}){_BODY.get(what, '')}".encode()) for what, form in SHAPES.items()
}


def tokens_in(data: bytes) -> Iterator[FoundToken]:
    """Yield each token once, except those that a person has made up."""
    seen: set[int] = set()
    for what, fixed_texts in FIXED.items():
        shape = _COMPILED[what]
        for fixed in map(str.encode, fixed_texts):
            at = data.find(fixed)
            while at >= 0:
                for match in shape.finditer(data, max(0, at - CONTEXT), at + LONGEST):
                    start, end = match.span()
                    if start > at:
                        break
                    if at < end and start not in seen and _is_token(data, start, match[0]):
                        seen.add(start)
                        yield FoundToken(what, start, end)
                at = data.find(fixed, at + len(fixed))


def _is_token(data: bytes, start: int, token: bytes) -> bool:
    before = data[start - 1 : start] if start else b""
    inside_a_word = before.isalnum() or before == b"_"
    return not inside_a_word and not is_made_up_token(token.decode("latin-1"))
