"""Takes part in a room's data channels with aiortc, speaking the room protocol itself: negotiated channels, both ways over one
transport.

Takes one JSON object as its argument:

    url      http://host:port of the server
    room, peer
    others   how many others have an ordered and an unordered channel each
    texts    how many texts to say over each of its own two channels
    size     how many bytes to say after them

Prints `ready` once its own channels are open and those of the others are made; on a line of standard input it speaks; and in the
end it prints what it heard as JSON.
"""

import asyncio
import base64
import hashlib
import json
import os
import struct
import sys
import urllib.parse

from aiortc import RTCPeerConnection, RTCSessionDescription

PATIENCE = 40
# Above those that the server takes for its own.
FIRST_STREAM = 100
CHANNELS = {"ordered": True, "unordered": False}


class Socket:
    """A WebSocket (RFC 6455), as far as texts go."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, url, query):
        parts = urllib.parse.urlsplit(url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET /?{urllib.parse.urlencode(query)} HTTP/1.1", f"Host: {parts.netloc}", "Upgrade: websocket",
            "Connection: Upgrade", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: protoo",
        ]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 101 " not in head:
            raise SystemExit(head.decode())
        return cls(reader, writer)

    def send(self, text, opcode=1):
        data = text.encode() if isinstance(text, str) else text
        length = len(data)
        if length < 126:
            head = struct.pack("!BB", 0x80 | opcode, 0x80 | length)
        else:
            head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, length)
        mask = os.urandom(4)
        self.writer.write(head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(data)))

    async def receive(self):
        while True:
            first, second = await self.reader.readexactly(2)
            length = second & 0x7F
            if length == 126:
                (length,) = struct.unpack("!H", await self.reader.readexactly(2))
            elif length == 127:
                (length,) = struct.unpack("!Q", await self.reader.readexactly(8))
            data = await self.reader.readexactly(length)
            if first & 0x0F == 1:
                return json.loads(data)
            if first & 0x0F == 9:
                self.send(data, opcode=10)
            if first & 0x0F == 8:
                raise SystemExit(f"the server closed: {data[2:].decode()}")


class Heard:
    """What came over one channel."""

    def __init__(self):
        self.texts, self.data, self.stated = [], None, None

    def take(self, message):
        if isinstance(message, bytes):
            self.data = message
        elif message.startswith("hash "):
            self.stated = message[len("hash ") :]
        else:
            self.texts.append(int(message))

    def figures(self):
        return {
            "texts": len(set(self.texts)),
            "inOrder": self.texts == list(range(len(self.texts))),
            "whole": self.data is not None and hashlib.sha256(self.data).hexdigest() == self.stated,
            "size": len(self.data or b""),
        }


class Client:
    def __init__(self, settings, socket):
        self.settings, self.socket = settings, socket
        self.pc = RTCPeerConnection()
        self.waiting, self.heard, self.own = {}, {}, {}
        self.next_id = 1

    async def read(self):
        while True:
            message = await self.socket.receive()
            if message.get("response"):
                self.waiting.pop(message["id"]).set_result(message)
            elif message.get("request"):
                if message["method"] == "newDataConsumer":
                    self.listen(message["data"])
                self.socket.send(json.dumps({"response": True, "id": message["id"], "ok": True, "data": {}}))

    async def request(self, method, data):
        number, self.next_id = self.next_id, self.next_id + 1
        answer = self.waiting[number] = asyncio.get_running_loop().create_future()
        self.socket.send(json.dumps({"request": True, "id": number, "method": method, "data": data}))
        message = await asyncio.wait_for(answer, PATIENCE)
        if not message["ok"]:
            raise SystemExit(f"{method}: {message['errorCode']} {message['errorReason']}")
        return message["data"]

    def channel(self, label, stream, protocol=""):
        return self.pc.createDataChannel(
            label,
            ordered=stream.get("ordered", True),
            maxPacketLifeTime=stream.get("maxPacketLifeTime"),
            maxRetransmits=stream.get("maxRetransmits"),
            protocol=protocol,
            negotiated=True,
            id=stream["streamId"],
        )

    def listen(self, data):
        channel = self.channel(data["label"], data["sctpStreamParameters"], data["protocol"])
        heard = self.heard[f"{data['peerId'] or ''}/{data['label']}"] = Heard()
        channel.on("message", heard.take)

    async def enter(self):
        transport = await self.request("createWebRtcTransport", {"producing": True, "consuming": True})
        for number, (label, ordered) in enumerate(CHANNELS.items()):
            stream = {"streamId": FIRST_STREAM + number, "ordered": ordered}
            self.own[label] = (self.channel(label, stream), stream)
        await self.pc.setLocalDescription(await self.pc.createOffer())
        lines = self.pc.localDescription.sdp.splitlines()
        fingerprints = [line.split(":", 1)[1].split(" ") for line in lines if line.startswith("a=fingerprint:")]
        fingerprints = [{"algorithm": name.lower(), "value": value} for name, value in fingerprints]
        parameters = {"role": "client", "fingerprints": fingerprints}
        await self.request("connectWebRtcTransport", {"transportId": transport["id"], "dtlsParameters": parameters})
        mid = next(line.split(":", 1)[1] for line in lines if line.startswith("a=mid:"))
        await self.pc.setRemoteDescription(RTCSessionDescription(self.answer(transport, mid), "answer"))
        await self.request("join", {"displayName": self.settings["peer"], "device": {"flag": "aiortc", "name": "aiortc"}})
        for label, (_, stream) in self.own.items():
            await self.request(
                "produceData", {"transportId": transport["id"], "sctpStreamParameters": stream, "label": label, "protocol": ""}
            )

    @staticmethod
    def answer(transport, mid):
        ice, sctp = transport["iceParameters"], transport["sctpParameters"]
        fingerprint = next(item for item in transport["dtlsParameters"]["fingerprints"] if item["algorithm"] == "sha-256")
        candidates = [
            f"a=candidate:{item['foundation']} 1 udp {item['priority']} {item['ip']} {item['port']} typ {item['type']}"
            for item in transport["iceCandidates"]
            if item["protocol"] == "udp"
        ]
        lines = [
            "v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0", "a=ice-lite", f"a=group:BUNDLE {mid}",
            "m=application 7 UDP/DTLS/SCTP webrtc-datachannel", "c=IN IP4 127.0.0.1", f"a=mid:{mid}",
            f"a=ice-ufrag:{ice['usernameFragment']}", f"a=ice-pwd:{ice['password']}", *candidates, "a=end-of-candidates",
            f"a=fingerprint:sha-256 {fingerprint['value']}", "a=setup:passive",
            f"a=sctp-port:{sctp['port']}", f"a=max-message-size:{sctp['maxMessageSize']}",
        ]
        return "\r\n".join(lines) + "\r\n"

    def speak(self):
        for channel, _ in self.own.values():
            for number in range(self.settings["texts"]):
                channel.send(str(number))
            data = os.urandom(self.settings["size"])
            channel.send(data)
            channel.send(f"hash {hashlib.sha256(data).hexdigest()}")

    def others(self):
        return {name: heard for name, heard in self.heard.items() if name.split("/")[1] in CHANNELS}

    def complete(self):
        wanted = self.settings["texts"]
        figures = [heard.figures() for heard in self.others().values()]
        return all(each["texts"] == wanted and each["whole"] for each in figures)


async def until(what, ready):
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while not ready():
        if asyncio.get_running_loop().time() > deadline:
            raise SystemExit(f"waited {PATIENCE} s for {what() if callable(what) else what}")
        await asyncio.sleep(0.02)


async def main():
    settings = json.loads(sys.argv[1])
    socket = await Socket.connect(settings["url"], {"roomId": settings["room"], "peerId": settings["peer"]})
    client = Client(settings, socket)
    reading = asyncio.ensure_future(client.read())
    await client.enter()
    await until("its own channels", lambda: all(channel.readyState == "open" for channel, _ in client.own.values()))
    await until("those of the others", lambda: len(client.others()) == settings["others"] * len(CHANNELS))
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    client.speak()
    heard = lambda: {name: each.figures() for name, each in client.others().items()}
    await until(lambda: f"everything: {heard()}", client.complete)
    print(json.dumps(heard()), flush=True)
    # What it said may still be on its way.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    reading.cancel()
    await client.pc.close()


asyncio.run(main())
