"""What each call does, in a sentence, for the documents that the server shows."""

__all__ = ["SUMMARIES"]

SUMMARIES = {
    "run_task": "Creates a task and starts it at once.",
    "stop_task": "Stops a task for good.",
    "pause_task": "Pauses a running task.",
    "resume_task": "Continues a paused task.",
    "get_task": "Tells everything about a task: status, steps, output and files.",
    "get_task_status": "Tells where a task stands, and nothing else.",
    "list_tasks": "Lists the tasks, newest first; a page has 100 rows at most.",
    "get_task_media": "Gives links to the recordings of a task.",
    "get_task_screenshots": "Gives links to the screenshots of a task, one for each step.",
    "get_task_output_file": "Gives a link to a file that the task made.",
    "list_scheduled_tasks": "Lists the schedules.",
    "create_scheduled_task": "Creates a schedule that runs a task again and again.",
    "get_scheduled_task": "Tells everything about a schedule.",
    "update_scheduled_task": "Changes the fields of a schedule that are given.",
    "delete_scheduled_task": "Deletes a schedule; runs under way end by themselves.",
    "list_browser_profiles": "Lists the browser profiles.",
    "create_browser_profile": "Creates a browser profile; one is part of every plan.",
    "get_browser_profile": "Tells everything about a browser profile.",
    "update_browser_profile": "Changes the fields of a browser profile that are given.",
    "delete_browser_profile": "Deletes a browser profile and its browser data.",
    "upload_file_presigned_url": "Gives a link to put a file at, for tasks to read.",
    "simple_search": "Searches the web and reads the best websites live.",
    "search_url": "Reads one website live for what fits a query.",
    "check_balance": "Tells the credit in US cents.",
    "me": "Tells whether the API key is good.",
    "ping": "Tells that the server is there.",
}
"""A sentence for each call, by the call's name."""
