"""The examples of the pages about live environments that need a server; see `support.pages`."""

from contextlib import ExitStack

from support.aws import REGION
from support.pages import follow, pages_run_by
from support.rotators import IamHarness, RedisHarness


def env_file(root, **variables):
    root.mkdir()
    path = root / ".env.prod"
    path.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
    path.chmod(0o600)


def test_the_pages_tested_here_are_boto3_and_redis():
    pages = pages_run_by("tests/live/test_live_pages.py")
    assert [page.name for page in pages] == ["boto3.md", "redis.md"]


def test_redis_page_prints_what_it_shows(valkey, tmp_path):
    with ExitStack() as stack:
        harness = RedisHarness(valkey, stack)
        url = valkey.url(harness.user, harness.password)
        env_file(tmp_path / "shop", REDIS_URL=url, REDIS_PASSWORD=valkey.password)
        environ = {"REDIS_PORT": str(valkey.port)}
        follow("docs/guides/live/redis.md", tmp_path / "shop", environ, {harness.user: "app"})


def test_boto3_page_prints_what_it_shows(aws, tmp_path):
    harness = IamHarness(aws)
    key, secret = (value.reveal() for value in harness.current().values())
    env_file(tmp_path / "shop", DEPLOY_KEY_ID=key, DEPLOY_SECRET_KEY=secret)
    environ = {"AWS_ENDPOINT_URL": aws.proxy.url, "AWS_REGION": REGION}
    follow("docs/guides/live/boto3.md", tmp_path / "shop", environ, {harness.user: "deploy"})
