"""The contract with the service, without input or output: no asyncio and no aiohttp in here."""
