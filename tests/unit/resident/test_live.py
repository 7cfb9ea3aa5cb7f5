"""A live environment in a Python program."""

from __future__ import annotations

from envkit.resident.live import Live


def live_of(tmp_path, text):
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles/prod.env").write_text("URL={{ PROD_URL }}\n")
    (tmp_path / ".env.prod").write_text(text)
    return Live("prod", profiles=str(tmp_path / "profiles"))


def test_a_newer_value_is_read_after_a_refusal(tmp_path):
    live = live_of(tmp_path, "PROD_URL=old\n")
    refused = live.snapshot()
    (tmp_path / ".env.prod").write_text("PROD_URL=new\n")
    assert [s.environment["URL"].reveal() for s in live.newer(refused, ["URL"])] == ["new"]
