"""Upload and download of files, over signed URLs that the API gives."""

from browser_use_async.files.download import Downloader, screenshot_of
from browser_use_async.files.transfer import DownloadOptions, OnProgress
from browser_use_async.files.upload import BinaryStream, Source, upload

__all__ = [
    "BinaryStream",
    "DownloadOptions",
    "Downloader",
    "OnProgress",
    "Source",
    "screenshot_of",
    "upload",
]
