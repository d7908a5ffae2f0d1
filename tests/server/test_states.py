import pytest
from hypothesis import given
from hypothesis import strategies as st

from browser_use_async.server.storage.progress import TRANSITIONS, TaskEvent
from browser_use_async.types import TaskStatus

TERMINAL = [TaskStatus.FINISHED, TaskStatus.STOPPED, TaskStatus.FAILED]
ALIVE = [TaskStatus.CREATED, TaskStatus.RUNNING, TaskStatus.PAUSED]


def _reachable(status: TaskStatus) -> set[TaskStatus]:
    found, waiting = {status}, [status]
    while waiting:
        here = waiting.pop()
        after = {to for (origin, _), to in TRANSITIONS.items() if origin is here} - found
        found |= after
        waiting += after
    return found


def test_only_paused_tasks_resume():
    """By the specification only paused tasks can be resumed, and then they run."""
    resuming = {
        origin: to for (origin, event), to in TRANSITIONS.items() if event is TaskEvent.RESUME
    }

    assert resuming == {TaskStatus.PAUSED: TaskStatus.RUNNING}


def test_only_running_tasks_pause():
    """By the specification pausing stops a running task for a while."""
    pausing = {
        origin: to for (origin, event), to in TRANSITIONS.items() if event is TaskEvent.PAUSE
    }

    assert pausing == {TaskStatus.RUNNING: TaskStatus.PAUSED}


@pytest.mark.parametrize("status", ALIVE)
def test_whatever_is_alive_can_be_stopped(status):
    """A task can be stopped before the start, during the run and during a pause."""
    assert TRANSITIONS.get((status, TaskEvent.STOP)) is TaskStatus.STOPPED


@pytest.mark.parametrize("status", TERMINAL)
@pytest.mark.parametrize("event", TaskEvent)
def test_nothing_happens_to_an_ended_task(status, event):
    """By the specification a stop is final; the other two ends are as well."""
    assert TRANSITIONS.get((status, event)) is None


def test_a_task_finishes_only_while_it_runs():
    """Neither a task that has not begun nor a paused one can finish."""
    finishing = [origin for (origin, event) in TRANSITIONS if event is TaskEvent.FINISH]

    assert finishing == [TaskStatus.RUNNING]


def test_every_status_is_reachable():
    """From `created` a task can come to every status that the specification lists."""
    assert _reachable(TaskStatus.CREATED) == set(TaskStatus)


@pytest.mark.parametrize("status", ALIVE)
def test_whatever_is_alive_can_end_in_each_way(status):
    """From each status that is no end, each end can be reached."""
    assert set(TERMINAL) <= _reachable(status)


def test_unknown_statuses_have_no_transitions():
    """The table has no entries for statuses that it does not know."""
    assert TRANSITIONS.get((TaskStatus("archived"), TaskEvent.STOP)) is None


@given(st.lists(st.sampled_from(TaskEvent)))
def test_random_lives(events):
    """After any transitions a task is in a listed status, and never leaves an end."""
    status = TaskStatus.CREATED
    for event in events:
        after = TRANSITIONS.get((status, event))
        if after is None:
            continue
        assert not status.is_terminal
        assert after in set(TaskStatus)
        assert after is not TaskStatus.CREATED
        status = after


@given(st.lists(st.sampled_from([TaskEvent.PAUSE, TaskEvent.RESUME])))
def test_pausing_and_resuming_is_a_switch(events):
    """Of any sequence of pauses and resumes, only those that change the status are allowed."""
    status = TaskStatus.RUNNING
    for event in events:
        allowed = (status is TaskStatus.RUNNING) is (event is TaskEvent.PAUSE)
        after = TRANSITIONS.get((status, event))
        assert (after is not None) is allowed
        status = after or status
