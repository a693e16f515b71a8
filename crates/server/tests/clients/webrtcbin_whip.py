#!/usr/bin/python3
"""Publishes a test picture and a tone with WHIP from GStreamer's webrtcbin, and prints one JSON object when it ends.

Takes one JSON object as its argument:

    endpoint   the URL
    codec      VP8 (default) or H264
    pem        a file with an EC certificate and its key; webrtcbin's own is RSA

It says `publishing` on standard error once it is connected, and ends with a line, or the end of input.
"""

import hashlib
import json
import re
import ssl
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

PATIENCE = 30
ENCODERS = {
    "VP8": "vp8enc deadline=1 cpu-used=8 keyframe-max-dist=300 target-bitrate=1000000 ! rtpvp8pay picture-id-mode=15-bit "
    "! application/x-rtp,media=video,encoding-name=VP8,payload=96",
    "H264": "x264enc tune=zerolatency speed-preset=veryfast key-int-max=300 bitrate=1000 "
    "! video/x-h264,profile=constrained-baseline ! rtph264pay config-interval=-1 aggregate-mode=zero-latency "
    "! application/x-rtp,media=video,encoding-name=H264,payload=96",
}
PIPELINE = (
    "webrtcbin name=rtc bundle-policy=max-bundle "
    "videotestsrc is-live=true pattern=ball ! video/x-raw,width=640,height=360,framerate=30/1 ! queue ! {video} ! rtc. "
    "audiotestsrc is-live=true freq=1000 ! opusenc ! rtpopuspay ! application/x-rtp,media=audio,encoding-name=OPUS,payload=97 ! rtc."
)


class Publisher:
    def __init__(self, settings):
        self.settings = settings
        self.loop = GLib.MainLoop()
        self.location = None
        self.problem = None
        with open(settings["pem"], encoding="ascii") as file:
            self.pem = file.read()
        certificate = ssl.PEM_cert_to_DER_cert(self.pem[self.pem.index("-----BEGIN CERTIFICATE") :])
        self.fingerprint = hashlib.sha256(certificate).digest().hex(":").upper()
        self.pipeline = Gst.Pipeline.new()
        self.pipeline.connect("deep-element-added", self.on_element)
        self.pipeline.add(Gst.parse_bin_from_description(PIPELINE.format(video=ENCODERS[settings.get("codec", "VP8")]), False))
        self.rtc = self.pipeline.get_by_name("rtc")
        self.rtc.connect("on-negotiation-needed", self.on_negotiation_needed)
        self.rtc.connect("notify::connection-state", self.on_state)
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", lambda _, message: self.fail(message.parse_error()))

    def on_element(self, _bin, _child, element):
        factory = element.get_factory()
        if factory and factory.get_name() == "dtlsdec":
            element.set_property("pem", self.pem)

    def on_negotiation_needed(self, _rtc):
        for index in range(2):
            transceiver = self.rtc.emit("get-transceiver", index)
            transceiver.set_property("direction", GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)
        self.rtc.emit("create-offer", None, Gst.Promise.new_with_change_func(self.on_offer))

    def on_offer(self, promise):
        # A description that came out of a promise is freed with it, and its SDP with it: only its text lives on.
        reply = promise.get_reply()
        description = reply.get_value("offer")
        text = description.sdp.as_text()
        offer = self.description(GstWebRTC.WebRTCSDPType.OFFER, text)
        self.rtc.emit("set-local-description", offer, Gst.Promise.new_with_change_func(lambda _: self.post(text)))

    @staticmethod
    def description(kind, text):
        _, message = GstSdp.SDPMessage.new_from_text(text)
        return GstWebRTC.WebRTCSessionDescription.new(kind, message)

    def post(self, offer):
        """Sends the offer without candidates: the server is ICE-lite. Its fingerprint is of all that is in the file, key
        included, so that it has to be put right."""
        offer = re.sub(r"(?m)^a=fingerprint:.*$", f"a=fingerprint:sha-256 {self.fingerprint}\r", offer)
        status, headers, text = self.request("POST", self.settings["endpoint"], offer, {"Content-Type": "application/sdp"})
        if status != 201:
            self.fail(f"{status} {text}")
            return
        self.location = urllib.parse.urljoin(self.settings["endpoint"], headers["Location"])
        answer = self.description(GstWebRTC.WebRTCSDPType.ANSWER, text)
        self.rtc.emit("set-remote-description", answer, None)

    @staticmethod
    def request(method, url, body=None, headers=None):
        request = urllib.request.Request(url, body.encode() if body else None, headers or {}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return response.status, response.headers, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()

    def on_state(self, rtc, _property):
        state = rtc.get_property("connection-state").value_nick
        if state == "connected":
            print("publishing", file=sys.stderr, flush=True)
        elif state == "failed":
            self.fail("the connection failed")

    def fail(self, problem):
        self.problem = self.problem or str(problem)
        GLib.idle_add(self.loop.quit)

    def wait_for_line(self):
        sys.stdin.readline()
        GLib.idle_add(self.loop.quit)

    def figures(self):
        """The packets that were sent, by SSRC: its statistics call both streams by one kind."""
        promise = Gst.Promise.new()
        self.rtc.emit("get-stats", None, promise)
        promise.wait()
        reply = promise.get_reply()
        entries = (reply.get_value(reply.nth_field_name(index)) for index in range(reply.n_fields()))
        sent = [entry for entry in entries if isinstance(entry, Gst.Structure) and entry.has_field("packets-sent")]
        return {"packets": {entry.get_value("ssrc"): entry.get_value("packets-sent") for entry in sent}}

    def run(self):
        self.pipeline.set_state(Gst.State.PLAYING)
        threading.Thread(target=self.wait_for_line, daemon=True).start()
        self.loop.run()
        if self.problem:
            raise SystemExit(self.problem)
        figures = self.figures()
        figures["removed"] = self.request("DELETE", self.location)[0]
        self.pipeline.set_state(Gst.State.NULL)
        return figures


Gst.init(None)
print(json.dumps(Publisher(json.loads(sys.argv[1])).run()), flush=True)
