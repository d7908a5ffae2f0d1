"""Secrets are masked in the files that a task writes, whatever their encoding."""

import pytest

from browser_use_async.server.executors.redaction import SecretRedactor


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"]
)
def test_no_secret_is_in_a_file_of_another_encoding(encoding):
    """Spreadsheets export UTF-16; the text around a secret there stays."""
    mask = SecretRedactor({"pwd": "hünter2"})

    masked = mask.content("a\tpwd\n1\thünter2\n".encode(encoding))

    assert masked.decode(encoding) == "a\tpwd\n1\t***\n"
