"""Databases and answers with more tasks than a test could create."""

import sqlite3
from contextlib import closing
from pathlib import Path

__all__ = ["CHANGING_ROWS", "multiply_tasks"]

CHANGING_ROWS = """(() => {
  const send = window.fetch;
  window.answers = 0;
  window.fetch = (path, sent) => {
    if (!path.startsWith("/admin/overview")) return send(path, sent);
    answers += 1;
    const tasks = Array.from({ length: 1000 }, (_, number) => ({
      id: "task-" + number, task: "Read the prices of shop " + number, status: "running",
      created_at: new Date(Date.now() - 1000 * number).toISOString(), finished_at: null,
      output: null, llm_model: "gpt-4.1", steps: answers, failure: null, cost_cents: "3.5",
      goal: "Read page " + answers, screenshot_url: null,
    }));
    const rest = { next: null, count: 1000, at_work: { running: 1000 } };
    return Promise.resolve(Response.json({ tasks, ...rest }));
  };
})()"""
"""Answers in place of the server: 1,000 rows at work, each of which changes each time."""


def multiply_tasks(database: Path, times: int) -> None:
    """Copy the only task of a database, and its steps.

    Args:
        database: The file, which no server uses.
        times: How many tasks there are in the end.
    """
    with closing(sqlite3.connect(database)) as connection, connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(tasks)")]
        others = ", ".join(
            {
                "id": "printf('%08x', number) || substr(id, 9)",
                "live_token": "live_token || number",
                "position": "number",
            }.get(name, name)
            for name in columns
        )
        numbers = "WITH RECURSIVE numbers (number) AS (SELECT 2 UNION ALL SELECT number + 1 "
        numbers += f"FROM numbers WHERE number < {times})"  # one of this project's numbers
        connection.execute(f"{numbers} INSERT INTO tasks SELECT {others} FROM tasks, numbers")
        connection.execute(
            "INSERT INTO steps (task_id, number, id, evaluation_previous_goal, next_goal, url, "
            "taken_at) SELECT tasks.id, steps.number, steps.id, "
            "steps.evaluation_previous_goal, steps.next_goal, steps.url, "
            "steps.taken_at FROM steps, tasks WHERE tasks.position > 1"
        )
        connection.execute("UPDATE accounts SET tasks = ?", (times,))
