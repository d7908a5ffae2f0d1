"""One file per command: `configure(parser)` adds its options, `execute(options, console)` runs it.

`cli.program` lists them; a module is imported when its command is run.
"""
