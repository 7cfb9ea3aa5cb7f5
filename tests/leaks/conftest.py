"""Every place where a command could leave a secret: output and writable files."""

import base64
import stat

import pytest

FOLDERS = {
    "HOME": "home",
    "TMPDIR": "temporary",
    "XDG_RUNTIME_DIR": "runtime",
    "XDG_STATE_HOME": "state",
}


class Places:
    """A project whose commands have separate HOME and temporary folders.

    Attributes:
        hidden: texts that must not appear anywhere, unless a test allows it.
        folders: HOME and similar folders.
        more: other folders to search.
    """

    def __init__(self, project, tmp_path, hidden=()):
        self.project = project
        self.hidden = list(hidden)
        self.folders = {variable: tmp_path / name for variable, name in FOLDERS.items()}
        self.more = []
        for folder in self.folders.values():
            folder.mkdir(mode=0o700)
        project.environ = {variable: str(folder) for variable, folder in self.folders.items()}

    def run(self, *arguments, status=0, **options):
        """Run a command with umask 0, and check that it prints nothing hidden."""
        done = self.project.run(*arguments, umask=0, **options)
        assert done.returncode == status, self.masked(done.stdout + done.stderr)
        self.assert_quiet(done.stdout + done.stderr)
        return done

    def contents(self):
        """Return the content of every file."""
        folders = [self.project.root, *self.folders.values(), *self.more]
        files = (path for folder in folders for path in folder.rglob("*") if path.is_file())
        return {path: path.read_bytes() for path in files}

    def traces(self, before=()):
        """Return the names of new or changed files that contain a hidden text.

        Only their owner may read them.
        """
        found = set()
        for path, content in self.contents().items():
            if (path, content) not in before and self.shows(content.decode("latin-1")):
                self.assert_private(path)
                found.add(path.name)
        return found

    def assert_private(self, path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, f"others can read {path}"

    def shows(self, text):
        """Return the hidden texts that a text contains, as they are or escaped as in a log."""
        return [n for n, secret in enumerate(self.hidden) if any(f in text for f in forms(secret))]

    def assert_quiet(self, text):
        assert not self.shows(text), self.masked(text)

    def masked(self, text):
        for number, secret in enumerate(self.hidden):
            text = text.replace(secret, f"[hidden {number}]")
        return text


def forms(secret):
    raw = secret.encode()
    return secret, base64.b64encode(raw).decode(), raw.hex(), secret[::-1]


@pytest.fixture
def places(project, tmp_path):
    return Places(project, tmp_path)
