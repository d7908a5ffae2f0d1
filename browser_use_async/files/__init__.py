"""Upload and download of files, over signed URLs that the API gives."""

from browser_use_async.files.download import screenshot_of
from browser_use_async.files.endpoints import FileEndpoints
from browser_use_async.files.transfer import DownloadOptions, OnProgress
from browser_use_async.files.upload import BinaryStream, Source

__all__ = [
    "BinaryStream",
    "DownloadOptions",
    "FileEndpoints",
    "OnProgress",
    "Source",
    "screenshot_of",
]
