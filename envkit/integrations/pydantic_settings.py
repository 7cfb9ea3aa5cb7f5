"""Fill the settings of pydantic-settings from a live or a resolved environment.

    class Settings(BaseSettings):
        database_url: SecretStr

        @classmethod
        def settings_customise_sources(cls, settings_cls, init_settings, **_):
            return init_settings, EnvkitSource(settings_cls, live)

Names, prefixes, aliases and nested fields work as with environment variables. pydantic quotes
its input in errors, so a secret is passed on as a text whose `repr` is masked.

Reference: https://docs.pydantic.dev/latest/concepts/pydantic_settings/#customise-settings-sources
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.integrations.packages import missing
from envkit.resident.live import Live
from envkit.secret import Plain

try:
    from pydantic_settings import EnvSettingsSource
    from pydantic_settings.sources.utils import parse_env_vars
except ImportError:
    raise missing("pydantic_settings", "pydantic-settings") from None

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from pydantic.fields import FieldInfo
    from pydantic_settings import BaseSettings

    from envkit import Environment
    from envkit.secret import Secret


class EnvkitSource(EnvSettingsSource):
    """The variables of one environment, in place of those of the process.

    Args:
        settings_cls: the class of the settings.
        environment: what `envkit.live` or `envkit.resolve` returned. Of a live one, each new
            settings object has the values that are current when it is made.
        more: settings of `EnvSettingsSource`, such as `env_nested_delimiter`, which take
            precedence over `model_config`.
    """

    def __init__(
        self, settings_cls: type[BaseSettings], environment: Live | Environment, **more: Any
    ) -> None:
        self._environment = environment  # before `__init__`, which loads the variables
        super().__init__(settings_cls, **more)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        found = self._environment
        environment = found.snapshot().environment if isinstance(found, Live) else found
        texts = {name: _text(environment[name]) for name in environment}
        return parse_env_vars(
            texts, self.case_sensitive, self.env_ignore_empty, self.env_parse_none_str
        )

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Return the decoded JSON; its texts are masked if it is that of a secret."""
        try:
            decoded = super().decode_complex_value(field_name, field, value)
        except ValueError:  # a JSONDecodeError has the whole text
            raise ValueError("it is not JSON") from None
        return _masked(decoded) if isinstance(value, _Masked) else decoded


class _Masked(str):
    """A text that does not show in the errors of pydantic."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'********'"


def _text(value: Secret) -> str:
    return value.reveal() if isinstance(value, Plain) else _Masked(value.reveal())


def _masked(decoded: Any) -> Any:
    if isinstance(decoded, str):
        return _Masked(decoded)
    if isinstance(decoded, list):
        return [_masked(item) for item in decoded]
    if isinstance(decoded, dict):
        return {key: _masked(item) for key, item in decoded.items()}
    return decoded
