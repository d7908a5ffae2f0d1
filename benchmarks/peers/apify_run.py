"""The answer of apify's service to the start of a run."""

__all__ = ["run"]


def run(run_id: str) -> object:
    """The run with an id, as far as its client needs it."""
    fields = {
        "id": run_id,
        "actId": "actor",
        "userId": "user",
        "startedAt": "2026-01-01T00:00:00.000Z",
        "status": "READY",
        "meta": {"origin": "API"},
        "stats": {},
        "options": {
            "build": "latest",
            "timeoutSecs": 300,
            "memoryMbytes": 1024,
            "diskMbytes": 2048,
        },
        "buildId": "build",
        "defaultKeyValueStoreId": "store",
        "defaultDatasetId": "dataset",
        "defaultRequestQueueId": "queue",
    }
    return {"data": fields}
