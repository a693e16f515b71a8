#!/usr/bin/python3
"""Receives one RTP stream with GStreamer, decodes it and writes it to a file.

Takes one JSON object as its argument, writes raw I420 pictures or a WAV file, and prints one JSON object of statistics
when it ends. It ends when a line, or the end of input, comes in.

It asks for what is missing with generic NACK (RFC 4585) and takes repairs as plain retransmissions or, where a
retransmission payload type is given, as RFC 4588 packets.

    rtp_port, rtcp_port    local ports
    rtcp_to                [host, port] that RTCP goes to
    codec                  VP8, H264 or opus
    payload_type, clock_rate
    rtx_payload_type       of RFC 4588 retransmissions, or null
    nack                   whether to ask for what is missing
    latency                depth of the jitter buffer in ms
    srtp                   null, or {suite, local, remote}: an SDES suite, base64 of our key and of the other side's
    output                 the file to write
"""

import json
import sys

from rtp_client import Client, Gst, aux_bin, make, payload_type_map, structure_to_dict

DECODERS = {
    "VP8": "rtpvp8depay ! vp8dec ! videoconvert ! video/x-raw,format=I420",
    "H264": "rtph264depay ! h264parse ! avdec_h264 max-threads=1 ! videoconvert ! video/x-raw,format=I420",
    "opus": "rtpopusdepay ! opusdec ! audioconvert ! audioresample ! audio/x-raw,format=S16LE,rate=48000 ! wavenc",
}


class Receiver(Client):
    def __init__(self, settings):
        super().__init__(settings)
        self.jitter_buffers = []
        self.rtx_receive = None
        nack = bool(settings.get("nack"))
        self.rtpbin.set_property("latency", settings.get("latency", 200))
        self.rtpbin.set_property("do-retransmission", nack)
        self.rtpbin.set_property("do-lost", True)
        self.rtpbin.connect("request-pt-map", lambda _bin, _session, payload_type: self.caps(payload_type))
        self.rtpbin.connect("new-jitterbuffer", lambda _bin, buffer, *_: self.jitter_buffers.append(buffer))
        self.rtpbin.connect("pad-added", self.on_stream)
        if settings.get("rtx_payload_type") is not None:
            self.rtpbin.connect("request-aux-receiver", self.on_aux_receiver)
        _, pad = self.udp_source(settings["rtp_port"], "rtp")
        pad.link(self.rtpbin.get_request_pad("recv_rtp_sink_0"))
        self.connect_rtcp()

    def caps(self, payload_type):
        s = self.settings
        name = "rtx" if payload_type == s.get("rtx_payload_type") else s["codec"]
        media = "audio" if s["codec"] == "opus" else "video"
        return Gst.Caps.from_string(
            f"application/x-rtp,media={media},clock-rate={s['clock_rate']},encoding-name={name.upper()},"
            f"payload={payload_type},rtcp-fb-nack-pli=(boolean)true"
        )

    def on_aux_receiver(self, _bin, session):
        mapping = payload_type_map(self.settings["payload_type"], self.settings["rtx_payload_type"])
        self.rtx_receive = make("rtprtxreceive")
        self.rtx_receive.set_property("payload-type-map", mapping)
        return aux_bin(self.rtx_receive, session)

    def on_stream(self, _bin, pad):
        if not pad.get_name().startswith("recv_rtp_src_"):
            return
        if pad.get_name().split("_")[-1] != str(self.settings["payload_type"]):
            print(f"unexpected stream {pad.get_name()}", file=sys.stderr, flush=True)
            return
        description = f"{DECODERS[self.settings['codec']]} ! filesink sync=false async=false location={self.settings['output']}"
        decoder = Gst.parse_bin_from_description(description, True)
        self.pipeline.add(decoder)
        decoder.sync_state_with_parent()
        pad.link(decoder.get_static_pad("sink"))

    def statistics(self):
        result = {"jitter_buffers": [structure_to_dict(b.get_property("stats")) for b in self.jitter_buffers]}
        if self.rtx_receive is not None:
            names = ("num-rtx-requests", "num-rtx-packets", "num-rtx-assoc-packets")
            result["rtx"] = {name: self.rtx_receive.get_property(name) for name in names}
        session = self.rtpbin.emit("get-session", 0).get_property("stats")
        result["session"] = structure_to_dict(session)
        return result


Receiver(json.loads(sys.argv[1])).run()
