#!/usr/bin/python3
"""Sends one video stream from a file of raw I420 pictures with GStreamer, in real time, and repairs what is NACKed.

Takes one JSON object as its argument and prints one JSON object of statistics when it ends: some time after the last
picture, or when a line, or the end of input, comes in.

    input, width, height, frame_rate   the pictures
    start                  the file to wait for before the first picture, or null
    codec                  VP8 or H264
    payload_type, ssrc     of the stream
    rtx_payload_type, rtx_ssrc   of RFC 4588 retransmissions; null: lost packets are sent again as they were
    rtp_to, rtcp_to        [host, port] that each goes to
    rtp_port, rtcp_port    local ports
    bit_rate               bit/s
    srtp                   null, or {suite, local, remote}: an SDES suite, base64 of our key and of the other side's
"""

import json
import sys

from rtp_client import Client, GLib, Gst, aux_bin, make, payload_type_map, structure_to_dict, uint

LINGER_MS = 1500
ENCODERS = {
    "VP8": "vp8enc deadline=1 cpu-used=8 keyframe-max-dist=60 target-bitrate={bits} error-resilient=0 ! rtpvp8pay picture-id-mode=15-bit",
    "H264": "x264enc tune=zerolatency speed-preset=veryfast key-int-max=60 bitrate={kbits} "
    "! video/x-h264,profile=constrained-baseline ! rtph264pay config-interval=-1 aggregate-mode=zero-latency",
}


class Sender(Client):
    def __init__(self, settings):
        settings["nack"] = True
        super().__init__(settings)
        self.rtx = None
        self.rtpbin.connect("request-aux-sender", self.on_aux_sender)
        source = self.media()
        source.link(self.rtpbin.get_request_pad("send_rtp_sink_0"))
        self.udp_sink(self.rtpbin.get_static_pad("send_rtp_src_0"), "rtp", settings["rtp_to"], self.rtp_socket())
        self.connect_rtcp()

    def rtp_socket(self):
        """Binds the RTP port; nothing is expected to come in on it."""
        source, pad = self.udp_source(self.settings["rtp_port"], "rtp")
        sink = self.add(make("fakesink", sync=False))
        sink.set_property("async", False)
        pad.link(sink.get_static_pad("sink"))
        return source

    def media(self):
        s = self.settings
        encoder = ENCODERS[s["codec"]].format(bits=s["bit_rate"], kbits=s["bit_rate"] // 1000)
        description = (
            f"filesrc location={s['input']} ! rawvideoparse format=i420 width={s['width']} height={s['height']} "
            f"framerate={s['frame_rate']}/1 ! clocksync ! queue ! {encoder} pt={s['payload_type']} ssrc={s['ssrc']} "
            "mtu=1200 name=payloader"
        )
        media = Gst.parse_bin_from_description(description, True)
        self.add(media)
        pad = media.get_static_pad("src")
        pad.add_probe(Gst.PadProbeType.EVENT_DOWNSTREAM, self.on_event)
        return pad

    def on_event(self, _pad, info):
        """Holds the end of the pictures back, so that the last ones can still be repaired."""
        if info.get_event().type != Gst.EventType.EOS:
            return Gst.PadProbeReturn.OK
        GLib.timeout_add(LINGER_MS, self.loop.quit)
        return Gst.PadProbeReturn.DROP

    def on_aux_sender(self, _bin, session):
        s = self.settings
        if s.get("rtx_payload_type") is None:
            self.rtx = make("rtprtxqueue", max_size_time=2000)
            return aux_bin(self.rtx, session)
        self.rtx = make("rtprtxsend", max_size_time=2000)
        self.rtx.set_property("payload-type-map", payload_type_map(s["payload_type"], s["rtx_payload_type"]))
        ssrc_map = Gst.Structure.new_empty("application/x-rtp-ssrc-map")
        ssrc_map.set_value(str(s["ssrc"]), uint(s["rtx_ssrc"]))
        self.rtx.set_property("ssrc-map", ssrc_map)
        return aux_bin(self.rtx, session)

    def finish(self):
        self.loop.quit()
        return False

    def statistics(self):
        names = ("num-rtx-requests", "num-rtx-packets", "requests", "fulfilled-requests")
        known = [name for name in names if self.rtx.find_property(name)]
        session = self.rtpbin.emit("get-session", 0).get_property("stats")
        return {"rtx": {name: self.rtx.get_property(name) for name in known}, "session": structure_to_dict(session)}


Sender(json.loads(sys.argv[1])).run()
