"""Examples of each command, shown below its help."""

_PROGRAM = "browser-use-async"

EXAMPLES: dict[str, tuple[str, ...]] = {
    "demo": ("demo", "demo --keep"),
    "run": (
        'run --local "Open https://example.com and tell me its title"',
        'run "Find the price of tea on shop.example" --allowed-domain shop.example --timeout 300',
        'run "List all prices" --schema prices.schema.json --output-only > prices.json',
        'run "Download the report" --detach',
    ),
    "watch": ("watch TASK_ID", "watch TASK_ID --timeout 60 --output-only"),
    "tasks": ("tasks", "tasks --status failed --created-after 2h", "tasks show TASK_ID"),
    "tasks list": ("tasks list --limit 5", "tasks list --all --json > tasks.jsonl"),
    "tasks show": ("tasks show TASK_ID", "tasks show TASK_ID --output-only"),
    "stop": ("stop TASK_ID", "stop TASK_ID TASK_ID"),
    "pause": ("pause TASK_ID",),
    "resume": ("resume TASK_ID",),
    "balance": ("balance", "balance --json"),
    "schedules": (
        "schedules list",
        'schedules create "Open https://example.com" --cron "0 8 * * *"',
        'schedules create "Open https://example.com" --every 60 --end-at +7d',
        "schedules update SCHEDULE_ID --no-active",
    ),
    "profiles": ("profiles list", "profiles create shopping --persist --proxy-country de"),
    "files": (
        "files upload prices.csv",
        "files download TASK_ID --all -o results",
        "files download TASK_ID report.pdf -o .",
    ),
    "search": (
        'search "opening hours" --max-websites 3',
        'search "opening hours" --url https://shop.example --depth 3',
    ),
    "webhooks": (
        "webhooks listen --forward http://127.0.0.1:8000/webhook",
        "webhooks trigger finished",
    ),
    "batch": (
        'batch companies.csv --template "Find the head office of {company}" --ledger run.db',
        "batch status run.db",
        "batch run --help",
    ),
    "batch run": (
        'batch run companies.csv --template "Find the head office of {company}" -o results.jsonl',
        "batch run companies.csv --ledger run.db --budget-cents 500 --resume",
    ),
    "batch status": ("batch status run.db --live",),
    "explain": ("explain TASK_ID", "explain run.db", "explain run.db --key paris --json"),
    "report": ("report run.db -o report.html",),
    "serve": (
        "serve --example-site",
        "serve --database tasks.db --port 8765",
        "serve --executor scripted --fault 'lost_reply run_task calls=1'",
    ),
    "keys": (
        "keys add shop --scopes run,read --budget-cents 5000",
        "keys list --base-url http://127.0.0.1:8765/api/v1 --api-key-file admin.key",
        "keys revoke KEY_ID",
        "keys audit --name shop --latest 20",
    ),
    "mcp": (
        "mcp --budget-cents 500",
        "mcp --transport http --base-url http://127.0.0.1:8765/api/v1",
    ),
    "keys add": ("keys add shop --concurrency 5 --expires-in 90 > shop.key",),
    "completion": (
        "completion bash > ~/.local/share/bash-completion/completions/browser-use-async",
        "completion zsh > ~/.zfunc/_browser-use-async",
        "completion fish > ~/.config/fish/completions/browser-use-async.fish",
    ),
    "doctor": ("doctor", "doctor --base-url http://127.0.0.1:8765/api/v1 --json"),
}


def epilog(program: str) -> str | None:
    """The examples for a command, named as in its usage; None if there are none."""
    lines = EXAMPLES.get(program.removeprefix(_PROGRAM).strip(), ())
    shown = [f"  {_PROGRAM} {line}" for line in lines]
    return "\n".join(["examples:", *shown]) if shown else None
