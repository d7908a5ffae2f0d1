"""An MCP server: tools with which language models run browser tasks. Needs the extra `mcp`."""
