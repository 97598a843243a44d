"""A WHIP publisher or a WHEP viewer made of aiortc, as applications in Python are.

aiortc.py publish|subscribe URL TOKEN SECONDS
"""

import asyncio
import os
import sys
import time
from urllib.parse import urljoin

sys.path.remove(os.path.dirname(os.path.abspath(__file__)))  # this file has the library's name

import aiohttp
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaPlayer
from aiortc.mediastreams import MediaStreamError

seen = {}  # kind -> [frames, first, last, size]


async def watch(track):
    while True:
        try:
            frame = await track.recv()
        except MediaStreamError:
            return
        n = seen.setdefault(track.kind, [0, time.time(), 0, ""])
        n[0], n[2] = n[0] + 1, time.time()
        if track.kind == "video":
            n[3] = f"{frame.width}x{frame.height}"


async def main(mode, url, token, seconds):
    pc = RTCPeerConnection()
    if mode == "publish":
        pc.addTransceiver(MediaPlayer("testsrc2=size=640x360:rate=25", format="lavfi").video, direction="sendonly")
        pc.addTransceiver(MediaPlayer("sine=frequency=440:sample_rate=48000", format="lavfi").audio, direction="sendonly")
    else:
        pc.addTransceiver("video", direction="recvonly")
        pc.addTransceiver("audio", direction="recvonly")
    pc.on("track", lambda track: asyncio.ensure_future(watch(track)))
    await pc.setLocalDescription(await pc.createOffer())
    bearer = {"Authorization": "Bearer " + token}
    async with aiohttp.ClientSession(headers=bearer) as http:
        async with http.post(url, data=pc.localDescription.sdp, headers={"Content-Type": "application/sdp"}) as answer:
            text = await answer.text()
            if answer.status != 201:
                sys.exit(f"{answer.status} {text}")
            session = urljoin(url, answer.headers["Location"])
        await pc.setRemoteDescription(RTCSessionDescription(text, "answer"))
        await asyncio.sleep(float(seconds))
        async with http.delete(session) as answer:
            print("  DELETE", answer.status)
        await pc.close()
    for kind, (n, first, last, size) in seen.items():
        print(f"  {kind}: {n} frames, {n / max(last - first, 0.001):.0f} a second {size}")


asyncio.run(main(*sys.argv[1:]))
