"""Recordings of a task's browser."""

import asyncio
import logging
import shutil
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext

from browser_use_async.server.executors.browser.live_view import Screencast
from browser_use_async.server.executors.browser.recorder import Recorder, Recording
from tests.server.browser.conftest import VIEWPORT
from tests.support.patience import PATIENCE, until

needs_ffmpeg = pytest.mark.skipif(
    shutil.which("ffmpeg") is None or shutil.which("ffprobe") is None,
    reason="there is no ffmpeg on this machine",
)

# Noise, which no encoder compresses well.
NOISE = """<body style="margin: 0"><canvas id=c width=800 height=600></canvas><script>
  const to = c.getContext("2d"), made = to.createImageData(800, 600);
  (function draw() {
    for (let at = 0; at < made.data.length; at += 4)
      made.data.set([Math.random() * 256, Math.random() * 256, Math.random() * 256, 255], at);
    to.putImageData(made, 0, 0);
    requestAnimationFrame(draw);
  })();
</script>"""

# One that prints more in a line than a pipe buffers before it reads a frame.
FFMPEG = """
import sys
if "-encoders" in sys.argv:
    print("libx264")
else:
    sys.stderr.write("x" * 1_000_000)
    sys.stderr.flush()
    sys.stdin.buffer.read()
    open(sys.argv[-1], "wb").write(b"film")
"""


async def _probed(video: bytes, folder: Path) -> tuple[int, int, float]:
    file = folder / "probed"
    await asyncio.to_thread(file.write_bytes, video)
    process = await asyncio.create_subprocess_exec(
        *("ffprobe", "-v", "error", "-of", "csv=p=0", "-show_entries"),
        "stream=width,height:format=duration",
        str(file),
        stdout=asyncio.subprocess.PIPE,
    )
    words = (await process.communicate())[0].decode().replace("\n", ",").split(",")
    return int(words[0]), int(words[1]), float(words[2])


def _names(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


def _begin(recorder: Recorder, context: BrowserContext, folder: Path) -> Recording:
    return recorder.record(Screencast(context, VIEWPORT), folder)


@needs_ffmpeg
async def test_a_recording_shows_the_page_for_as_long_as_it_lasted(context, page, tmp_path):
    """It is a video of the viewport's size that can be played, and no process is left."""
    before = datetime.now(UTC)
    recording = _begin(Recorder(), context, tmp_path)
    async with asyncio.timeout(PATIENCE):
        while not _names(tmp_path):  # ffmpeg has read some frames, and their times
            await page.set_content(f"<h1>{time.monotonic()}</h1>")
    filmed = datetime.now(UTC)
    for number in range(10):
        await page.set_content(f"<h1>{number}</h1>")
        await asyncio.sleep(0.1)
    ending = datetime.now(UTC)
    made = await recording.finish()
    (video,) = made.values()
    width, height, seconds = await _probed(video, tmp_path)

    assert next(iter(made)) in {"mp4", "webm"}
    assert (width, height) == VIEWPORT
    assert seconds >= 0.8
    assert recording.began is not None
    assert before <= recording.began <= filmed
    # From that moment to the end, without the last frames, which a busy machine draws too late.
    assert ending - timedelta(seconds=0.6) <= recording.began + timedelta(seconds=seconds)


@needs_ffmpeg
@pytest.mark.parametrize(
    "limits", [{"max_bytes": 300_000}, {"max_seconds": 0.5}], ids=["bytes", "seconds"]
)
async def test_a_recording_is_bounded(context, page, tmp_path, limits, caplog):
    """At its limit it ends with a warning, and the part so far can be played."""
    with caplog.at_level(logging.WARNING):
        recording = _begin(Recorder(**limits), context, tmp_path)  # type: ignore[arg-type]
        await page.set_content(NOISE)
        await until(lambda: "has ended before its task" in caplog.text)
    (video,) = (await recording.finish()).values()
    width, _, seconds = await _probed(video, tmp_path)

    assert "as long or as large as one may be" in caplog.text
    assert width == VIEWPORT[0]
    if "max_bytes" in limits:
        # Frames in progress at the limit are still included.
        assert 0 < len(video) < 5 * limits["max_bytes"]
    else:
        # Its own clock, not this machine's: one frame may pass the limit.
        assert 0 < seconds <= limits["max_seconds"] + 0.5


@needs_ffmpeg
async def test_an_abandoned_recording_leaves_no_process(context, page, tmp_path):
    """A stopped task has none, and ffmpeg has ended."""
    recording = _begin(Recorder(), context, tmp_path)
    await page.set_content("<h1>Stopped</h1>")
    await recording.abandon()

    assert await recording.finish() == {}


async def test_without_ffmpeg_there_are_no_recordings(context, page, tmp_path, monkeypatch, caplog):
    """The log says so once."""
    monkeypatch.setenv("PATH", str(tmp_path))
    recorder = Recorder()
    screencast = Screencast(context, VIEWPORT)
    made = [await recorder.record(screencast, tmp_path).finish() for _ in range(2)]
    await page.close()

    assert made == [{}, {}]
    assert caplog.text.count("there is no ffmpeg") == 1


async def test_what_ffmpeg_says_may_be_one_long_line(context, page, tmp_path, monkeypatch):
    """The recording is kept; only the time of its beginning is unknown."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "ffmpeg").write_text(f"#!{sys.executable}{FFMPEG}", "utf-8")
    (programs / "ffmpeg").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    recording = _begin(Recorder(), context, tmp_path)
    await page.set_content("<h1>Filmed</h1>")
    (video,) = (await recording.finish()).values()

    assert video == b"film"
    assert recording.began is None
