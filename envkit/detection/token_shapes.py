"""Recognise the tokens and keys of well-known vendors. Pure.

Each is recognised anywhere in a text by its vendor's prefix. Tokens without a prefix are left to
`secret_literal`, which considers names.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

DOTENV_KEY = "a dotenvx private key"
# each part has a limit, so that a search takes linear time
DOTENV_KEY_FORM = (
    r"DOTENV_PRIVATE_KEY\w{0,200}[\"']?\s{0,9}[:=]\s{0,9}[\"']?"
    r"(?:[0-9a-fA-F]{64},){0,9}[0-9a-fA-F]{64}\b"
)
# what readers call it -> its form; the first match counts
SHAPES = {
    "a private key": r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File",
    "an age secret key": r"AGE-SECRET-KEY-1[A-Z0-9]{20,}",
    DOTENV_KEY: DOTENV_KEY_FORM,
    "an AWS access key": r"A[KS]IA[A-Z2-7]{16}\b",
    "a GitHub token": r"gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{22,}",
    "a GitLab token": r"gl(?:agent|cbt|dt|ft|imt|oas|pat|ptt|rt|soat)-[\w-]{20,}",
    "a Slack token": r"xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-\d-[A-Za-z0-9-]{20,}",
    "a Slack webhook": r"hooks\.slack\.com/(?:services|triggers|workflows)/[\w/+-]{20,}",
    "a Discord webhook": r"discord(?:app)?\.com/api/webhooks/\d+/[\w-]{20,}",
    "a Stripe secret key": r"[sr]k_(?:live|test)_\w{16,}",
    "a webhook's signing secret": r"whsec_[\w+/=]{20,}",
    "an Anthropic key": r"sk-ant-[\w-]{20,}",
    "an OpenAI key": r"sk-(?:admin|proj|svcacct)-[\w-]{20,}|sk-[A-Za-z0-9]{32,}",
    "a Hugging Face token": r"hf_[A-Za-z0-9]{30,}",
    "a Replicate token": r"r8_\w{30,}",
    "a Groq key": r"gsk_\w{40,}",
    "an Azure key": r"(?:Account|SharedAccess)Key=[\w+/=]{40,}",
    "a Google API key": r"AIza[\w-]{35}",
    "a Google client secret": r"GOCSPX-[\w-]{20,}",
    "a Vault token": r"hv[bsr]\.[\w-]{20,}",
    "a Terraform Cloud token": r"[A-Za-z0-9]{14}\.atlasv1\.[\w-]{60,}",
    "a Pulumi token": r"pul-[a-f0-9]{40}",
    "a Doppler token": r"dp\.(?:audit|ct|pt|sa|scim|st)\.[\w.-]{20,}",
    "a 1Password token": r"ops_eyJ[\w-]{20,}",
    "a DigitalOcean token": r"do[opr]_v1_[a-f0-9]{64}",
    "a Docker Hub token": r"dckr_(?:oat|pat)_[\w-]{20,}",
    "an npm token": r"npm_[A-Za-z0-9]{36}",
    "a PyPI token": r"pypi-AgE[\w-]{50,}",
    "a RubyGems key": r"rubygems_[a-f0-9]{48}",
    "a SendGrid key": r"SG\.[\w-]{16,}\.[\w-]{16,}",
    "a Mailchimp key": r"[a-f0-9]{32}-us\d{1,2}\b",
    "a Mailgun key": r"key-[a-f0-9]{32}\b",
    "a Brevo key": r"xkeysib-[a-f0-9]{40,}",
    "a Resend key": r"re_[A-Za-z0-9]{8,}_[A-Za-z0-9]{16,}",
    "a Shopify token": r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}",
    "a Square token": r"sq0(?:atp|csp)-[\w-]{22,}",
    "a Telegram bot token": r"\d{8,10}:AA[\w-]{32,33}",
    "a Grafana token": r"gl(?:c|sa)_[\w+/=]{20,}",
    "a New Relic key": r"NRAK-[A-Z0-9]{27}",
    "a Sentry token": r"sntr[uy]s_[\w+/=-]{20,}",
    "a Databricks token": r"dapi[a-f0-9]{32}",
    "a PlanetScale credential": r"pscale_(?:oauth|pw|tkn)_[\w.-]{20,}",
    "a Supabase secret": r"sb_secret_\w{20,}|sbp_[a-f0-9]{40}",
    "an Atlassian token": r"ATATT3[\w=-]{20,}",
    "a Linear key": r"lin_(?:api|oauth)_\w{32,}",
    "a Notion token": r"ntn_[A-Za-z0-9]{40,}",
    "a Figma token": r"figd_[\w-]{20,}",
    "a Tailscale key": r"tskey-[a-z]+-\w+-\w+",
    "a Netlify token": r"nfp_\w{30,}",
    "a Laravel key": r"base64:[A-Za-z0-9+/]{42,43}=",
    "HTTP credentials": r"(?:Basic|Bearer) (?=[\w.~+/-]*\d)[\w.~+/-]{20,}",
    "a JSON web token": r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{10,}",
}
# browsers also receive these, under names with PUBLIC and similar words
PUBLISHED = frozenset(("a Google API key", "a JSON web token"))
_ANY = re.compile(
    "|".join(f"(?P<s{index}>{form})" for index, form in enumerate(SHAPES.values())), re.ASCII
)
_NAMES = tuple(SHAPES)
# examples in vendors' documentation, and text that a person writes in place of a token
_MADE_UP = re.compile(r"EXAMPLE|x{6,}|X{6,}|\*{3,}|(.)\1{9,}|1234567890abcdef|0123456789abcdef")


def find_tokens(text: str) -> Iterator[tuple[str, str]]:
    """Yield each known token in a text: its kind, and the token itself.

    Made-up tokens, which are common in vendors' documentation, are left out.
    """
    for match in _ANY.finditer(text):
        start = match.start()
        if start > 0 and (text[start - 1].isalnum() or text[start - 1] == "_"):
            continue  # a part of a longer word
        if not is_made_up_token(match[0]):
            yield _NAMES[int(str(match.lastgroup)[1:])], match[0]


def is_made_up_token(token: str) -> bool:
    """Return whether a token is an example that a person has made up."""
    return _MADE_UP.search(token) is not None
