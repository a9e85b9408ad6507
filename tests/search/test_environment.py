"""What a run depends on besides its settings: versions, and the revision of this project."""

import subprocess

import pytest

from auxnas.search.storage.environment import PACKAGES, package_versions, revision, run_environment


@pytest.fixture
def repository(tmp_path):
    def git(*arguments):
        author = ("-c", "user.name=a", "-c", "user.email=a@b.c")
        subprocess.run(
            ["git", "-C", tmp_path, *author, *arguments], check=True, capture_output=True
        )

    (tmp_path / "tracked.py").write_text("1")
    (tmp_path / "other.py").write_text("1")
    git("init", "-q")
    git("add", "tracked.py")
    git("commit", "-q", "-m", "one")
    return tmp_path


def test_the_revision_is_that_of_a_tracked_file(repository):
    clean = revision(repository / "tracked.py")
    assert len(clean) == 40
    (repository / "tracked.py").write_text("2")
    assert revision(repository / "tracked.py") == f"{clean}-dirty"


def test_a_file_that_the_repository_does_not_track_is_not_of_it(repository, tmp_path_factory):
    assert revision(repository / "other.py") is None
    assert revision(tmp_path_factory.mktemp("elsewhere") / "x.py") is None


def test_without_git_there_is_none(repository, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert revision(repository / "tracked.py") is None


def test_versions_are_of_what_is_installed():
    assert {"python", "numpy"} <= package_versions().keys() <= {"python", *PACKAGES}
    assert run_environment("cpu", 2)["threads"] == 2
