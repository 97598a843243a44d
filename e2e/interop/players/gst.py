"""A WHEP viewer made of GStreamer's webrtcbin.

gst.py subscribe URL TOKEN SECONDS
"""

import sys
import time
from urllib.parse import urljoin
from urllib.request import Request, urlopen

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC

Gst.init(None)
_, _, url, token, seconds = sys.argv
pipeline, loop, session = Gst.Pipeline.new(None), GLib.MainLoop(), None
seen = {}  # kind -> [buffers, first, last, size]


def request(method, address, body=None):
    headers = {"Authorization": "Bearer " + token, "Content-Type": "application/sdp"}
    return urlopen(Request(address, method=method, data=body, headers=headers))


def count(pad, info, kind):
    n = seen.setdefault(kind, [0, time.time(), 0, ""])
    n[0], n[2] = n[0] + 1, time.time()
    if kind == "video":
        caps = pad.get_current_caps().get_structure(0)
        n[3] = f"{caps.get_value('width')}x{caps.get_value('height')}"
    return Gst.PadProbeReturn.OK


def add(name):
    element = Gst.ElementFactory.make(name, None)
    pipeline.add(element)
    element.sync_state_with_parent()
    return element


def decoded(decoder, pad):
    into = add("fakesink").get_static_pad("sink")
    into.add_probe(Gst.PadProbeType.BUFFER, count, pad.get_current_caps().to_string().split("/")[0])
    pad.link(into)


def received(web, pad):
    if pad.direction == Gst.PadDirection.SRC:
        decoder = add("decodebin")
        decoder.connect("pad-added", decoded)
        pad.link(decoder.get_static_pad("sink"))


def describe(web, what, description):
    promise = Gst.Promise.new()
    web.emit(f"set-{what}-description", description, promise)
    promise.interrupt()


def offered(promise, *_):
    global session
    reply = promise.get_reply()  # has to live as long as what is taken from it
    offer = reply.get_value("offer")
    text = offer.sdp.as_text()
    describe(web, "local", offer)
    answer = request("POST", url, text.encode())
    session = urljoin(url, answer.headers["Location"])
    _, sdp = GstSdp.SDPMessage.new_from_text(answer.read().decode())
    describe(web, "remote", GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, sdp))
    GLib.timeout_add(int(float(seconds) * 1000), loop.quit)


web = Gst.ElementFactory.make("webrtcbin", None)
web.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
pipeline.add(web)
web.connect("pad-added", received)
for caps in (
    "application/x-rtp,media=video,encoding-name=H264,clock-rate=90000,payload=96,packetization-mode=(string)1,"
    "profile-level-id=(string)42e01f,rtcp-fb-nack=true,rtcp-fb-nack-pli=true,rtcp-fb-transport-cc=true",
    "application/x-rtp,media=audio,encoding-name=OPUS,clock-rate=48000,encoding-params=(string)2,payload=97",
):
    web.emit("add-transceiver", GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY, Gst.Caps.from_string(caps))
web.connect("on-negotiation-needed", lambda web: web.emit("create-offer", None, Gst.Promise.new_with_change_func(offered)))
pipeline.set_state(Gst.State.PLAYING)
GLib.timeout_add_seconds(30, loop.quit)
loop.run()
if session:
    print("  DELETE", request("DELETE", session).status)
pipeline.set_state(Gst.State.NULL)
for kind, (n, first, last, size) in seen.items():
    print(f"  {kind}: {n} buffers, {n / max(last - first, 0.001):.0f} a second {size}")
