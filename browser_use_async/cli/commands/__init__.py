"""One file per command, or for the commands of one subject: `cli.app` lists them and loads them."""
