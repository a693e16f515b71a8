"""Publishes with WHIP or plays with WHEP with aiortc, and prints one JSON object when it ends.

Takes one JSON object as its argument:

    endpoint   the URL
    role       publish: until a line, or the end of input, comes in; it says `publishing` on standard error.
               play: for `seconds` after the first picture.
    codec      VP8 (default) or H264, for publish
    seconds    for play
"""

import array
import asyncio
import fractions
import json
import math
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

from aiortc import MediaStreamTrack, RTCPeerConnection, RTCRtpSender, RTCSessionDescription, VideoStreamTrack
from av import AudioFrame, VideoFrame

WIDTH, HEIGHT, BAR = 640, 360, 64
PATIENCE = 30
RATE, SAMPLES = 48000, 960


class Picture(VideoStreamTrack):
    """A bar that moves over a grey ground."""

    def __init__(self):
        super().__init__()
        self.count = 0

    async def recv(self):
        pts, time_base = await self.next_timestamp()
        at = self.count * 8 % (WIDTH - BAR)
        self.count += 1
        frame = VideoFrame(WIDTH, HEIGHT, "yuv420p")
        luma, *chroma = frame.planes
        row = bytearray([96]) * luma.line_size
        row[at : at + BAR] = bytes([220]) * BAR
        luma.update(bytes(row) * HEIGHT)
        for plane in chroma:
            plane.update(bytes([128]) * plane.buffer_size)
        frame.pts, frame.time_base = pts, time_base
        return frame


class Tone(MediaStreamTrack):
    """A tone of 1 kHz, in real time."""

    kind = "audio"

    def __init__(self):
        super().__init__()
        self.sent = 0
        self.started = None

    async def recv(self):
        now = time.monotonic()
        self.started = self.started or now
        await asyncio.sleep(max(0.0, self.started + self.sent / RATE - now))
        samples = (round(8000 * math.sin(2 * math.pi * 1000 * at / RATE)) for at in range(self.sent, self.sent + SAMPLES))
        frame = AudioFrame(format="s16", layout="mono", samples=SAMPLES)
        frame.planes[0].update(array.array("h", samples).tobytes())
        frame.sample_rate, frame.pts, frame.time_base = RATE, self.sent, fractions.Fraction(1, RATE)
        self.sent += SAMPLES
        return frame


class Session:
    def __init__(self, settings):
        self.settings = settings
        self.pc = RTCPeerConnection()
        self.location = None
        self.frames = 0
        self.audio_peak = 0
        self.width = None
        self.first_frame = asyncio.Event()
        self.first_frame_at = None
        self.tasks = []

    def add_media(self):
        if self.settings["role"] == "play":
            self.pc.on("track", lambda track: self.tasks.append(asyncio.ensure_future(self.consume(track))))
            for kind in ("audio", "video"):
                self.pc.addTransceiver(kind, direction="recvonly")
            return
        self.pc.addTransceiver(Tone(), direction="sendonly")
        video = self.pc.addTransceiver(Picture(), direction="sendonly")
        wanted = f"video/{self.settings.get('codec', 'VP8')}"
        codecs = RTCRtpSender.getCapabilities("video").codecs
        video.setCodecPreferences([codec for codec in codecs if codec.mimeType in (wanted, "video/rtx")])

    async def consume(self, track):
        while True:
            frame = await track.recv()
            if track.kind == "audio":
                self.audio_peak = max(self.audio_peak, *map(abs, array.array("h", bytes(frame.planes[0]))))
                continue
            self.frames += 1
            self.width = frame.width
            if self.first_frame_at is None:
                self.first_frame_at = time.monotonic()
                self.first_frame.set()

    async def start(self):
        await self.pc.setLocalDescription(await self.pc.createOffer())
        headers = {"Content-Type": "application/sdp"}
        status, answer, sdp = self.request("POST", self.settings["endpoint"], self.pc.localDescription.sdp, headers)
        if status != 201:
            raise SystemExit(f"{status} {sdp}")
        self.location = urllib.parse.urljoin(self.settings["endpoint"], answer["Location"])
        await self.pc.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
        await self.until("a connection", lambda: self.pc.connectionState == "connected")

    @staticmethod
    def request(method, url, body=None, headers=None):
        data = body.encode() if body else None
        request = urllib.request.Request(url, data, headers or {}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return response.status, response.headers, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()

    @staticmethod
    async def until(what, ready):
        deadline = time.monotonic() + PATIENCE
        while not ready():
            if time.monotonic() > deadline:
                raise SystemExit(f"waited {PATIENCE} s for {what}")
            await asyncio.sleep(0.02)

    def transport(self):
        """The DTLS connection, of which the library tells by its log only."""
        (transport,) = {item.receiver.transport for item in self.pc.getTransceivers()}
        connection = transport._ssl
        return {
            "tls": connection.get_protocol_version_name(),
            "cipher": connection.get_selected_srtp_profile().decode(),
            "role": transport._role,
        }

    async def figures(self):
        figures = {**self.transport(), "frames": self.frames, "width": self.width, "audioPeak": self.audio_peak}
        for stats in (await self.pc.getStats()).values():
            if stats.type in ("outbound-rtp", "inbound-rtp"):
                packets = stats.packetsSent if stats.type == "outbound-rtp" else stats.packetsReceived
                figures[f"{stats.kind}Packets"] = packets
        return figures


async def main():
    settings = json.loads(sys.argv[1])
    session = Session(settings)
    session.add_media()
    started = time.monotonic()
    await session.start()
    if settings["role"] == "play":
        await asyncio.wait_for(session.first_frame.wait(), PATIENCE)
        await asyncio.sleep(settings["seconds"])
    else:
        print("publishing", file=sys.stderr, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    figures = await session.figures()
    if session.first_frame_at is not None:
        figures["firstFrameMs"] = round((session.first_frame_at - started) * 1000)
    figures["removed"] = session.request("DELETE", session.location)[0]
    await session.pc.close()
    for task in session.tasks:
        task.cancel()
    print(json.dumps(figures), flush=True)


asyncio.run(main())
