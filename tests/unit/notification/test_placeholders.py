"""Placeholders of channels are substituted when there is a notice to send."""

import pytest

from envkit.errors import ResolutionError
from envkit.notification.channels import Channel, EventKind
from envkit.notification.placeholders import substitute_placeholders
from envkit.profile.loader import load
from envkit.profile.location import Location

PLACE = Location("prod.toml", 1)
KINDS = tuple(EventKind)


@pytest.fixture
def profile(project):
    project.dotenv("prod", "HOOK=t0ken\nKEY=k3y\n")
    project.profile("prod.toml", "")
    return load("prod", str(project.profiles))


def test_placeholders_in_an_address_and_a_key_are_substituted(profile):
    channels = (
        Channel("webhook", "https://x/{{ HOOK }}", "{{ dotenv:KEY }}", KINDS),
        Channel("slack", "https://y/{{ HOOK }}", None, (EventKind.FAILURE,)),
    )
    assert substitute_placeholders(channels, profile, "notify", PLACE, environ={}) == (
        Channel("webhook", "https://x/t0ken", "k3y", KINDS),
        Channel("slack", "https://y/t0ken", None, (EventKind.FAILURE,)),
    )


def test_placeholders_in_a_command_are_not_substituted(profile):
    channel = Channel("command", ("mail", "team"), None, KINDS)
    assert substitute_placeholders([channel], profile, "notify", PLACE, environ={}) == (channel,)


def test_a_placeholder_without_a_value_is_an_error(profile):
    channel = Channel("slack", "https://{{ dotenv:NOT_THERE }}", None, KINDS)
    with pytest.raises(ResolutionError):
        substitute_placeholders([channel], profile, "notify", PLACE, environ={})
