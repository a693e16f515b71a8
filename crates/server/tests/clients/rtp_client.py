"""What the GStreamer sender and receiver share: elements, SRTP, RTCP, and how a run ends."""

import base64
import json
import sys
import threading

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst  # noqa: E402

Gst.init(None)

# SDES suite (RFC 4568, RFC 7714) -> cipher and authentication as GStreamer calls them.
SUITES = {
    "AES_CM_128_HMAC_SHA1_80": ("aes-128-icm", "hmac-sha1-80"),
    "AEAD_AES_128_GCM": ("aes-128-gcm", "null"),
    "AEAD_AES_256_GCM": ("aes-256-gcm", "null"),
}
AVPF = 3  # GstRTPProfile: feedback at once (RFC 4585 section 3.4)


def make(factory, **properties):
    element = Gst.ElementFactory.make(factory)
    if element is None:
        sys.exit(f"no element {factory}")
    for name, value in properties.items():
        Gst.util_set_object_arg(element, name.replace("_", "-"), str(value))
    return element


def srtp_encoder(srtp):
    cipher, auth = SUITES[srtp["suite"]]
    encoder = make("srtpenc", rtp_cipher=cipher, rtp_auth=auth, rtcp_cipher=cipher, rtcp_auth=auth)
    encoder.set_property("allow-repeat-tx", True)  # plain retransmission sends a packet again as it was
    encoder.set_property("key", Gst.Buffer.new_wrapped(base64.b64decode(srtp["local"])))
    return encoder


def srtp_decoder(srtp):
    cipher, auth = SUITES[srtp["suite"]]
    key = base64.b64decode(srtp["remote"]).hex()
    caps = (
        f"application/x-srtp,srtp-key=(buffer){key},srtp-cipher=(string){cipher},srtp-auth=(string){auth},"
        f"srtcp-cipher=(string){cipher},srtcp-auth=(string){auth}"
    )
    decoder = make("srtpdec")
    decoder.connect("request-key", lambda _decoder, _ssrc: Gst.Caps.from_string(caps))
    return decoder


class Client:
    """A pipeline around one `rtpbin` with session 0, RTP and RTCP on two loopback ports."""

    def __init__(self, settings):
        self.settings = settings
        self.srtp = settings.get("srtp")
        self.pipeline = Gst.Pipeline.new()
        self.loop = GLib.MainLoop()
        self.failed = False
        self.rtpbin = make("rtpbin")
        self.pipeline.add(self.rtpbin)
        if settings.get("nack"):
            self.rtpbin.set_property("rtp-profile", AVPF)

    def add(self, *elements):
        for element in elements:
            self.pipeline.add(element)
        return elements[0]

    def udp_source(self, port, kind):
        """A source of RTP or RTCP and, where SRTP is on, what decrypts it: (element with the socket, pad)."""
        source = self.add(make("udpsrc", address="127.0.0.1", port=port, buffer_size=1 << 21))
        protected = f"application/x-s{kind}" if self.srtp else f"application/x-{kind}"
        source.set_property("caps", Gst.Caps.from_string(protected))
        if source.set_state(Gst.State.READY) == Gst.StateChangeReturn.FAILURE:
            sys.exit(f"cannot bind port {port}")
        if not self.srtp:
            return source, source.get_static_pad("src")
        decoder = self.add(srtp_decoder(self.srtp))
        source.get_static_pad("src").link(decoder.get_static_pad(f"{kind}_sink"))
        return source, decoder.get_static_pad(f"{kind}_src")

    def udp_sink(self, pad, kind, address, socket=None):
        """Sends what `pad` gives to `address`, through SRTP where it is on."""
        if self.srtp:
            encoder = self.add(srtp_encoder(self.srtp))
            pad.link(encoder.get_request_pad(f"{kind}_sink_0"))
            pad = encoder.get_static_pad(f"{kind}_src_0")
        sink = self.add(make("udpsink", host=address[0], port=address[1], sync=False))
        sink.set_property("async", False)
        if socket is not None:
            sink.set_property("socket", socket.get_property("used-socket"))
            sink.set_property("close-socket", False)
        pad.link(sink.get_static_pad("sink"))

    def connect_rtcp(self):
        """RTCP in and out on one port, and quick enough for NACK."""
        source, pad = self.udp_source(self.settings["rtcp_port"], "rtcp")
        pad.link(self.rtpbin.get_request_pad("recv_rtcp_sink_0"))
        self.udp_sink(self.rtpbin.get_request_pad("send_rtcp_src_0"), "rtcp", self.settings["rtcp_to"], source)
        session = self.rtpbin.emit("get-session", 0)
        session.set_property("rtcp-min-interval", 300_000_000)
        self.rtpbin.emit("get-internal-session", 0).set_property("rtcp-fraction", 20_000.0)

    def run(self):
        """Runs until the pipeline ends, or a line or the end of input comes in; then drains."""
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::eos", lambda *_: self.loop.quit())
        bus.connect("message::error", self.on_error)
        self.pipeline.set_state(Gst.State.PLAYING)
        threading.Thread(target=self.wait_for_line, daemon=True).start()
        self.loop.run()
        statistics = self.statistics()
        self.pipeline.set_state(Gst.State.NULL)
        print(json.dumps(statistics), flush=True)
        sys.exit(1 if self.failed else 0)

    def wait_for_line(self):
        sys.stdin.readline()
        GLib.idle_add(self.finish)

    def finish(self):
        self.pipeline.send_event(Gst.Event.new_eos())
        GLib.timeout_add(3000, self.loop.quit)
        return False

    def on_error(self, _bus, message):
        error, detail = message.parse_error()
        print(f"{error.message}: {detail}", file=sys.stderr, flush=True)
        self.failed = True
        self.loop.quit()

    def statistics(self):
        raise NotImplementedError


def structure_to_dict(structure):
    """The numbers of a GstStructure."""
    names = [structure.nth_field_name(i) for i in range(structure.n_fields())]
    return {name: value for name in names if isinstance(value := structure.get_value(name), (int, float))}


def aux_bin(element, session=0):
    """The bin around a retransmission element that `rtpbin` asks for."""
    wrapper = Gst.Bin.new()
    wrapper.add(element)
    for direction in ("sink", "src"):
        wrapper.add_pad(Gst.GhostPad.new(f"{direction}_{session}", element.get_static_pad(direction)))
    return wrapper


def payload_type_map(payload_type, rtx_payload_type):
    structure = Gst.Structure.new_empty("application/x-rtp-pt-map")
    Gst.Structure.set_value(structure, str(payload_type), uint(rtx_payload_type))
    return structure


def uint(number):
    from gi.repository import GObject

    value = GObject.Value()
    value.init(GObject.TYPE_UINT)
    value.set_uint(number)
    return value
