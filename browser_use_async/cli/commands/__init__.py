"""One file per command: `configure(parser)` adds its options, `execute(options, console)` runs it.

`cli.registry` lists them; nothing in here is imported before its command was asked for.
"""
