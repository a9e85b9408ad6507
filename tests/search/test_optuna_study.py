"""A run's trials as a study of optuna's, read back through optuna itself."""

import json
import random
import sqlite3
import sys
from contextlib import closing
from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from auxnas.genotype import SearchSpace
from auxnas.search.errors import RequestError
from auxnas.search.storage import optuna_study
from auxnas.search.storage.journal import Journal
from auxnas.search.storage.lock import run_lock
from auxnas.search.storage.optuna_errors import database_error, parsed_address
from auxnas.search.storage.optuna_study import export_study
from auxnas.search.trials.choices import choices_of, chosen, genotype_of
from auxnas.search.trials.pareto import COSTS, front
from auxnas.search.trials.records import (
    COMPLETE,
    FAILED,
    PENDING,
    REUSED,
    STOPPED,
    Failure,
    Stage,
    Trial,
    trial_seed,
)
from tests.strategies import SPACES, genotypes

optuna = pytest.importorskip("optuna")
from sqlalchemy.exc import OperationalError  # noqa: E402  (optuna brings it)

SPACE = SearchSpace.cvpr2019()


def trial_of(rng, number, seed=0):
    """A trial that has ended somehow."""
    genotype = SPACE.sample(rng)
    state = rng.choice((COMPLETE, COMPLETE, STOPPED, FAILED, REUSED if number else COMPLETE))
    base = Trial(number, number // 2, genotype, genotype.key(), trial_seed(seed, number), state)
    cost = {"parameters": 10, "multiply_adds": rng.randrange(1, 30), "latency": rng.random()}
    if state == FAILED:
        return replace(base, failure=Failure("nan", "loss"), **cost)
    if state == REUSED:
        return replace(base, source=rng.randrange(number), reward=0.5, **cost)
    stages = tuple(
        Stage(rng.randrange(20) / 20, {"miou": rng.random()}, rng.uniform(1, 9))
        for _ in range(1 + (state == COMPLETE))
    )
    return replace(base, stages=stages, reward=2 * stages[-1].reward, **cost)


def trials_of(count, seed=0):
    rng = random.Random(seed)
    return [trial_of(rng, number, seed) for number in range(count)]


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    return f"sqlite:///{tmp_path_factory.mktemp('optuna')}/x.db"


def load(url, name):
    storage = optuna.storages.RDBStorage(url)
    study = optuna.load_study(study_name=name, storage=storage)
    storage.engine.dispose()
    return study


@given(genotypes(*SPACES))
def test_choices_have_a_name_each_and_give_the_genotype_back(genotype):
    known = chosen(genotype)
    assert genotype_of(genotype.space, known) == genotype
    for place, values in choices_of(genotype.space).items():
        assert known[place] in values
        assert len(set(values)) == len(values)


def test_every_trial_is_one_of_the_study(url):
    trials = trials_of(60)
    assert export_study(trials, url, "all").added == 60
    study = load(url, "all")
    assert study.metric_names == ["reward", "latency_ms"]
    assert [d.name for d in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    for trial, found in zip(trials, study.trials, strict=True):
        trained = trials[trial.source] if trial.state == REUSED else trial
        assert found.number == trial.number
        assert genotype_of(SPACE, found.params) == trial.genotype
        assert list(found.distributions) == list(choices_of(SPACE))
        steps = dict(enumerate((stage.reward for stage in trained.stages), 1))
        assert found.intermediate_values == steps
        if trained.state == COMPLETE:
            assert found.values == [trained.stages[-1].reward, trial.latency]
        else:
            assert found.values is None
            assert found.state.name == ("PRUNED" if trained.state == STOPPED else "FAIL")
        assert json.loads(found.user_attrs["genotype"]) == json.loads(str(trial.genotype))
        assert found.user_attrs["multiply_adds"] == trial.multiply_adds
        assert found.duration.total_seconds() == pytest.approx(trial.seconds, abs=1e-4)
    ends = [found.datetime_complete for found in study.trials]
    assert [found.datetime_start for found in study.trials[1:]] == ends[:-1]
    assert ends == sorted(ends)


@pytest.mark.filterwarnings("ignore:PedAnova:UserWarning")  # it is of low values
def test_optuna_computes_the_same_front_and_importances(url):
    trials = [t for t in trials_of(120, seed=3) if t.state == COMPLETE]
    trials = [replace(t, number=n) for n, t in enumerate(trials)]
    export_study(trials, url, "front")
    study = load(url, "front")
    ours = [trial.number for trial in front(trials, COSTS["latency"])]
    assert sorted(trial.number for trial in study.best_trials) == sorted(ours)
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    shares = optuna.importance.get_param_importances(
        study, evaluator=evaluator, target=lambda trial: -trial.values[0]
    )
    assert set(shares) <= set(choices_of(SPACE))
    assert sum(shares.values()) == pytest.approx(1)


def test_again_it_gets_what_is_new_and_nothing_twice(url):
    trials = trials_of(30, seed=5)
    waiting = [*trials[:9], replace(trials[9], state=PENDING, stages=()), *trials[10:14]]
    first = export_study(waiting, url, "grows")
    assert (first.added, first.trials, first.waiting) == (9, 9, 5)
    before = load(url, "grows").trials
    assert export_study(trials, url, "grows").added == 21
    assert export_study(trials, url, "grows").added == 0
    export_study(trials, url, "at once")
    grown, at_once = load(url, "grows").trials, load(url, "at once").trials
    assert [t.params for t in grown] == [t.params for t in at_once]
    assert [t.values for t in grown] == [t.values for t in at_once]
    assert [(t.number, t.datetime_start) for t in grown[:9]] == [
        (t.number, t.datetime_start) for t in before
    ]


def test_latency_that_is_not_measured_gives_way_to_multiply_adds(url):
    trials = [replace(trial, latency=None) for trial in trials_of(8, seed=7)]
    export_study(trials, url, "untimed")
    study = load(url, "untimed")
    assert study.metric_names == ["reward", "multiply_adds"]
    done = [t for t in study.trials if t.values]
    assert [t.values[1] for t in done] == [trials[t.number].multiply_adds for t in done]


def test_a_study_of_another_run_is_refused_and_stays_as_it_was(url):
    one, other = trials_of(10, seed=8), trials_of(12, seed=9)
    export_study(one, url, "taken")
    with pytest.raises(RequestError, match=r"study taken: its trial 1 is no trial of this run"):
        export_study(other, url, "taken")
    with pytest.raises(RequestError, match=r"it has 10 trials, the run 4 that ended"):
        export_study(one[:4], url, "taken")
    changed = [*one[:6], replace(one[6], reward=7.0), *one[7:]]
    with pytest.raises(RequestError, match=r"its trial 7 is no trial"):
        export_study(changed, url, "taken")
    assert len(load(url, "taken").trials) == 10


def test_a_study_that_others_filled_is_refused(url):
    storage = optuna.storages.RDBStorage(url)
    single = optuna.create_study(storage=storage, study_name="single")
    theirs = optuna.create_study(
        storage=storage, study_name="theirs", directions=["maximize", "minimize"]
    )
    theirs.add_trial(optuna.trial.create_trial(values=[1.0, 2.0]))
    storage.engine.dispose()
    for name, words in ((single.study_name, "its objectives are"), ("theirs", "its trial 1")):
        with pytest.raises(RequestError, match=words):
            export_study(trials_of(3), url, name)


def test_nothing_is_written_where_a_trial_cannot_be(url, monkeypatch):
    trials = trials_of(6, seed=11)

    def attributes(added, cost):
        raise RuntimeError("no more")
        yield

    monkeypatch.setattr(optuna_study, "_attributes", attributes)
    with pytest.raises(RequestError, match="no more"):
        export_study(trials, url, "half")
    assert load(url, "half").trials == []
    monkeypatch.undo()
    assert export_study(trials, url, "half").added == 6


@pytest.mark.parametrize(
    ("wrong", "words"),
    {
        "x.db": "no address of a database, expected sqlite:///study.db, or",
        "postgresql://me:pw@h:port/x": "no address of a database",
        "sqlite:////nowhere/at/all.db": "no folder /nowhere/at, expected one that is there",
        "nosuch://x": "no kind of database nosuch, expected sqlite, postgresql or mysql",
    }.items(),
)
def test_a_database_that_there_is_not_is_one_line(wrong, words):
    with pytest.raises(RequestError, match=words) as error:
        export_study(trials_of(2), wrong, "name")
    assert "\n" not in str(error.value)


def journal_of(folder, trials):
    folder.mkdir()
    with Journal(folder, write=True) as journal:
        journal.propose([replace(trial, state=PENDING, stages=()) for trial in trials])
        for trial in trials:
            journal.finish(trial)
    return folder


def test_the_command_names_the_study_after_the_run(run, url, tmp_path):
    folder = journal_of(tmp_path / "street", trials_of(5))
    result = run("export", folder, "--optuna", url)
    assert (result.exit_code, result.stdout) == (0, "study street: 5 trials added, 5 in it\n")
    result = run("export", folder, "--optuna", url, "--study", "street", "--json")
    found = json.loads(result.stdout)
    assert found == {"study": "street", "added": 0, "trials": 5, "waiting": 0}


def test_trials_that_are_to_come_are_told_of_by_whether_the_run_goes_on(run, url, tmp_path):
    folder, (first, *rest) = tmp_path / "street", trials_of(3)
    folder.mkdir()
    with Journal(folder, write=True) as journal:
        journal.propose([replace(trial, state=PENDING, stages=()) for trial in (first, *rest)])
        journal.finish(first)
    words = ("export", folder, "--optuna", url, "--study", "standing")
    stands = run(*words).stdout
    assert f"2 come when those before them have ended: nassearch resume {folder}" in stands
    with run_lock(folder):
        assert "2 wait for one under way" in run(*words).stdout


def test_what_a_finished_run_proposed_beyond_its_trials_does_not_wait(run, url, tmp_path):
    folder, (first, *rest) = tmp_path / "street", trials_of(3)
    folder.mkdir()
    with Journal(folder, write=True) as journal:
        journal.set_meta({"settings": {"trials": 1}})
        journal.propose([replace(trial, state=PENDING, stages=()) for trial in (first, *rest)])
        journal.finish(first)
    found = run("export", folder, "--optuna", url, "--study", "beyond")
    assert (found.exit_code, found.stdout) == (0, "study beyond: 1 trials added, 1 in it\n")
    found = run("status", folder)
    assert "1 of 1 trials ended" in found.stdout
    assert "proposed beyond the trials asked for, not to begin: 2" in found.stdout
    assert "pending" not in found.stdout
    states = json.loads(run("status", folder, "--json").stdout)
    assert (states["states"], states["beyond"]) == ({first.state: 1}, 2)


@pytest.mark.parametrize(("seconds", "more"), [(59.0, None), (60.0, "2m"), (61.0, "3m")])
def test_what_a_budget_left_is_not_as_if_it_ran(run, url, tmp_path, seconds, more):
    folder, (first, *rest) = tmp_path / "street", trials_of(5)
    folder.mkdir()
    with Journal(folder, write=True) as journal:
        journal.set_meta({"settings": {"trials": 4, "budget": "1m"}})
        journal.begin_session({}, seconds)
        journal.propose([replace(trial, state=PENDING, stages=()) for trial in (first, *rest)])
        journal.finish(first)
    goes_on = f"nassearch resume {folder}" + (f" --budget {more}" if more else "")
    lines = run("status", folder).stdout.splitlines()
    said = f"proposed, and not begun as the budget was over: 3 (to go on: {goes_on})"
    assert (said in lines) == bool(more)
    assert any("3 pending" in line for line in lines) == (not more)
    found = json.loads(run("status", folder, "--json").stdout)
    assert (found["unbegun"], found["next_budget"]) == (3 if more else 0, more)
    assert found["beyond"] == 1
    exported = run("export", folder, "--optuna", url, "--study", f"left{seconds}").stdout
    assert exported.endswith(f"3 come when those before them have ended: {goes_on}\n")
    with run_lock(folder):
        assert "3 pending" in run("status", folder).stdout


def test_the_command_refuses_both_outputs_and_neither(run, tmp_path):
    for words in (("--optuna", "sqlite://", "--output", tmp_path), (), ("--study", "name")):
        result = run("export", tmp_path, *words)
        assert result.exit_code == 2
        assert "--optuna" in result.stderr


def test_without_optuna_the_command_says_what_to_install(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    result = run("export", journal_of(tmp_path / "run", trials_of(2)), "--optuna", "sqlite://")
    assert result.exit_code == 3
    assert 'pip install "auxnas[optuna]"' in result.stderr


def test_a_database_of_something_else_is_left_as_it_is(tmp_path):
    """A run's own journal among them."""
    path = tmp_path / "journal.sqlite"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE meta (name TEXT)")
        other.commit()
    before = path.read_bytes()
    with pytest.raises(RequestError, match="tables of something else"):
        export_study(trials_of(2), f"sqlite:///{path}", "a")
    assert path.read_bytes() == before


PASSWORDS = st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=5).filter(
    lambda text: not text.strip("*").isdecimal()
)


@settings(max_examples=100, deadline=None)
@given(PASSWORDS, st.sampled_from(["{}", "%40{}"]))
@example("p@ss:w@rd", "{}")
@example("with/slash", "{}")
@example("a?b#c", "{}")
def test_a_password_is_not_told(password: str, form: str) -> None:
    secret = f"S3{password}E"
    for url in (
        f"nosuch://me:{form.format(secret)}@127.0.0.1:1/x",
        f"nosuch://me:{quote(secret, safe='')}@127.0.0.1:1/x",
        f"nosuch://127.0.0.1/x?user=me&password={quote(secret, safe='')}",
        f"nosuch://me:{secret.replace('@', '').replace('/', '').replace('?', '')}",
    ):
        with pytest.raises(RequestError) as error:
            export_study([], url, "a")
        assert secret not in str(error.value)
        assert quote(secret, safe="") not in str(error.value)
        assert "***" in str(error.value)
        assert "\n" not in str(error.value)
        if url.endswith("@127.0.0.1:1/x"):
            assert "--optuna nosuch://me:***@127.0.0.1:1/x: " in str(error.value)


def test_a_driver_that_repeats_the_password_is_not_repeated() -> None:
    url = "postgresql://me:s3cret@there/x"
    said = 'connection failed: "me:s3cret@there" refused\nIs it running?'
    error = database_error(
        url, parsed_address(url), OperationalError("SELECT", None, OSError(said))
    )
    assert "s3cret" not in str(error)
    assert "the server cannot be reached" in str(error)
    assert "\n" not in str(error)


REPEATED = {
    ("me:abc12345@h/x?application_name=abc", "failed with abc12345"): "failed with ***",
    ("me:p%40ss%3aw@h/x", "p%40ss%3aw, p%40ss%3Aw or p@ss:w"): "***, *** or ***",
    ("h/x?sslpassword=a+b%2fc", "a b/c, a+b%2Fc, a%20b%2Fc, a+b%2fc"): "***, ***, ***, ***",
    ("h/x?sslmode=s&ssl-key=k1", "its k1 is wrong"): "its *** is wrong",
    (
        "me:abcd@h/x?token=a&API_KEY=ab&secret=abc&pwd=abcde&passcode=abcdef",
        "abcdef, abcde, abcd, abc, ab, a",
    ): "***, ***, ***, ***, ***, ***",
    ("me:refused@h/x", "refused"): "the server cannot be reached (***)",
}


@pytest.mark.parametrize(("rest", "said"), REPEATED)
def test_secrets_of_an_address_are_hidden_in_any_form_and_nothing_else(rest, said) -> None:
    url = f"postgresql://{rest}"
    error = database_error(url, parsed_address(url), OperationalError("", None, OSError(said)))
    assert error.found == REPEATED[rest, said]


def test_a_password_is_hidden_before_words_are_cut() -> None:
    url, said = "postgresql://me:S3cretS3cret@h/x", f"{'x' * 76}S3cretS3cret{'y' * 200}"
    error = database_error(url, parsed_address(url), OperationalError("", None, OSError(said)))
    assert "S3c" not in str(error)
    assert "x***y..." in error.found


def test_our_own_words_are_left_as_they_are() -> None:
    url = "postgresql://me:s@h/x?application_name=s&password=i"
    missing = ModuleNotFoundError("no psycopg", name="psycopg")
    error = database_error(url, parsed_address(url), missing)
    assert error.found == "its driver psycopg is not installed"
    assert "application_name=s&password=***" in str(error)


SAID = {
    'connection to server at "h" (10.0.0.1), port 5432 failed: Connection refused': "be reached",
    "failed to resolve host 'h': [Errno -2] Name or service not known": "be reached",
    'could not translate host name "h" to address': "be reached",
    "(2003, \"Can't connect to MySQL server on 'h' (timed out)\")": "be reached",
    'FATAL: password authentication failed for user "me"': "gives no permission",
    "(1045, \"Access denied for user 'me'@'h' (using password: YES)\")": "gives no permission",
    "permission denied for schema public": "gives no permission",
    'FATAL: database "x" does not exist': "no such database",
    "(1049, \"Unknown database 'x'\")": "no such database",
    "attempt to write a readonly database": "it can only be read",
    "database or disk is full": "no room is left",
    "database is locked": "another program writes to it",
}


@pytest.mark.parametrize("said", SAID)
def test_words_of_drivers_are_explained(said: str) -> None:
    url = "postgresql://me@h/x"
    wrapped = optuna.exceptions.StorageInternalError("This happens due to invalid data.")
    wrapped.__cause__ = OperationalError("SELECT", None, OSError(said))
    error = database_error(url, parsed_address(url), wrapped)
    assert SAID[said] in error.found
    assert said in error.found
    assert "sqlalche" not in str(error)
    assert "invalid data" not in str(error)


def test_files_that_are_no_database_of_ours_are_explained(tmp_path) -> None:
    (tmp_path / "text.db").write_text("no database, but a text of some length " * 9)
    (tmp_path / "open.db").touch()
    with closing(sqlite3.connect(tmp_path / "open.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        for name, words in {
            "text.db": "a file of something else",
            "gone/x.db": f"no folder {tmp_path / 'gone'}, expected one that is there",
            "": f"{tmp_path} is a folder, expected the name of a file",
            "open.db?timeout=0.01": "another program writes to it (database is locked)",
        }.items():
            with pytest.raises(RequestError) as error:
                export_study(trials_of(2), f"sqlite:///{tmp_path}/{name}".rstrip("/"), "a")
            assert words in str(error.value)
            assert "SELECT" not in str(error.value)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:"])
def test_a_database_that_is_gone_afterwards_is_refused(url) -> None:
    with pytest.raises(RequestError, match="gone afterwards"):
        export_study(trials_of(2), url, "a")


def test_a_missing_driver_is_named_with_what_installs_it(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(RequestError, match=r'driver psycopg is .*pip install "psycopg\[binary\]"'):
        export_study(trials_of(2), "postgresql+psycopg://me@127.0.0.1:1/x", "a")
