"""Mutants of recorded scripts: their steps stay on their site, and change nothing twice."""

from tests.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

_PLACES = "server/scripts/test_places.py"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "a step of a script is taken on any page",
        "server/executors/browser/player.py",
        "_check_place",
        "step.page and not fits(url, step.page)",
        "False",
        (f"{_PLACES}::test_a_page_that_moved_to_another_site_gets_no_secret",),
    ),
    Mutant(
        "a frame of a script is known by its path alone",
        "server/executors/browser/page_description.py",
        "is_frame",
        "fits(frame.url, wanted)",
        "frame.url.split('/', 3)[3:] == wanted.split('/', 3)[3:]",
        (f"{_PLACES}::test_a_frame_of_another_site_gets_nothing",),
    ),
    Mutant(
        "addresses of a script are compared without their hosts",
        "server/executors/scripts/addresses.py",
        "fits",
        "origin == wanted",
        "wanted",
        (
            f"{_PLACES}::test_a_page_that_moved_to_another_site_gets_no_secret",
            "server/scripts/test_addresses.py::test_only_a_part_of_the_path_may_be_another",
        ),
    ),
    Mutant(
        "a step of a script is taken wherever its page has gone since it was found",
        "server/executors/browser/player.py",
        "ScriptPlayer.take",
        "self._ended.clear()\nawait self._require_place(page, step, element)",
        "self._ended.clear()",
        (f"{_PLACES}::test_a_page_that_leaves_before_the_step_gets_no_key",),
    ),
    Mutant(
        "a step without a description is taken in the frame of another site",
        "server/executors/browser/player.py",
        "ScriptPlayer.take",
        "element = await self._task_run.runner.element_of(step.action)\n"
        "await self._require_place(page, step, element)",
        "element = await self._task_run.runner.element_of(step.action)",
        (f"{_PLACES}::test_a_step_without_a_description_is_taken_in_no_frame",),
    ),
    Mutant(
        "an agent begins again with secrets that are for another site",
        "server/executors/browser/performance.py",
        "Performance._refusal",
        "is_elsewhere and self._script.secrets",
        "False",
        (f"{_PLACES}::test_a_page_that_moved_to_another_site_gets_no_secret",),
    ),
    Mutant(
        "every secret signs in",
        "server/executors/scripts/script.py",
        "can_sign_in",
        "field.type == 'password'",
        "True",
        ("server/scripts/test_recorder.py::test_only_a_password_signs_in",),
    ),
    Mutant(
        "a button that pays signs in",
        "server/executors/scripts/script.py",
        "can_sign_in",
        "not _CHANGING.search(f'{element.name} / {element.form}')",
        "True",
        ("server/scripts/test_recorder.py::test_only_a_password_signs_in",),
    ),
    Mutant(
        "a password is sent twice",
        "server/executors/browser/player.py",
        "ScriptPlayer._request_begun",
        "self.played.has_changed |= self._signs_in and request.method not in SAFE",
        "pass",
        (f"{_PLACES}::test_a_sign_in_is_sent_once",),
    ),
    Mutant(
        "a script may be named that nothing plays",
        "server/operations/task_start.py",
        "_check_script",
        "pairs is not None and not server.runner.takes_scripts",
        "False",
        ("server/scripts/test_served.py::test_a_script_that_cannot_be_played_is_refused",),
    ),
)
