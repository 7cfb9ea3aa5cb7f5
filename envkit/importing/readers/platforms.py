"""The variables that a platform adds to its downloads, and sets itself where the app runs. Pure."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

VERCEL_MARK = "# Created by Vercel CLI"
_DOPPLER = ("DOPPLER_PROJECT", "DOPPLER_ENVIRONMENT", "DOPPLER_CONFIG")
_OF_VERCEL = re.compile(
    r"VERCEL(?:_(?:ENV|TARGET_ENV|URL|REGION|DEPLOYMENT_ID|PROJECT_ID|PROJECT_PRODUCTION_URL"
    r"|BRANCH_URL|SKEW_PROTECTION_ENABLED|OIDC_TOKEN|GIT_\w+))?|NX_DAEMON|TURBO_\w+"
)


def set_by_doppler(names: Iterable[str]) -> list[str]:
    """Return the names that Doppler adds to every download: all three, or it is not Doppler's."""
    names = set(names)
    return [name for name in _DOPPLER if name in names] if names.issuperset(_DOPPLER) else []


def set_by_vercel(names: Iterable[str]) -> list[str]:
    """Return the names that Vercel sets in every deployment.

    Reference: https://vercel.com/docs/environment-variables/system-environment-variables
    """
    return [name for name in names if _OF_VERCEL.fullmatch(name)]
