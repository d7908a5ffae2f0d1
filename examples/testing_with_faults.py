"""Test your program against a server that fails on request.

    python examples/testing_with_faults.py

Needs no key: it always uses the bundled server. docs/testing.md lists the faults, and shows the
same in pytest.
"""

import asyncio

from browser_use_async import BrowserUseSession, PollPolicy, errors
from browser_use_async.testing import Fault, LocalServer


async def pay_the_bill(session: BrowserUseSession) -> str:
    """Takes the place of your own code, which must not pay twice."""
    task = await session.run_and_wait("Pay the bill", timeout=60)
    return str(task.status)


async def main() -> None:
    """Run the same code with three kinds of faults."""
    often = PollPolicy(interval=0.1, latency_target=0.25)  # a test need not wait for long
    async with (
        LocalServer(executor="scripted") as server,
        BrowserUseSession(server.api_key, base_url=server.base_url, poll=often) as session,
    ):
        print("the answer to run-task is lost:")
        server.set_faults([Fault("lost_reply", "run_task", calls=1)])
        print("   ", await pay_the_bill(session), "with", server.tasks_created, "task")

        print("the server asks for a pause, then some status calls fail:")
        busy = Fault("status", "run_task", calls=1, status=429, headers={"Retry-After": "1"})
        flaky = Fault("reset", ["get_task", "get_task_status"], calls=[1, 3])
        server.set_faults([busy, flaky])
        print("   ", await pay_the_bill(session), "with", server.tasks_created, "tasks in all")
        print("    happened:", dict(server.faults_fired))

        print("the account is empty:")
        server.set_faults([Fault("status", "run_task", status=402)])
        try:
            await pay_the_bill(session)
        except errors.PaymentRequiredError as error:
            print("   ", type(error).__name__, "with", server.tasks_created, "tasks in all")


if __name__ == "__main__":
    asyncio.run(main())
