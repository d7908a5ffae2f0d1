"""Upload and download of files, over signed URLs that the API gives."""

from browser_use_async.files.download import Downloader, DownloadOptions
from browser_use_async.files.sources import BinaryStream, Source
from browser_use_async.files.transfer import OnProgress
from browser_use_async.files.upload import Uploader

__all__ = ["BinaryStream", "DownloadOptions", "Downloader", "OnProgress", "Source", "Uploader"]
