"""Upload and download of files, on top of the thin layer and the lane of signed URLs."""

from browser_use_async.files.download import Downloader, DownloadOptions
from browser_use_async.files.progress import OnProgress
from browser_use_async.files.sources import BinaryStream, Source
from browser_use_async.files.upload import Uploader

__all__ = ["BinaryStream", "DownloadOptions", "Downloader", "OnProgress", "Source", "Uploader"]
