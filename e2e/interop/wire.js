// Notes what the page sends and receives; it changes none of it.
"use strict";

const wire = [];

{
  const note = (what, text) => wire.push(`${what} ${text}`);
  const plain = (data) => typeof data === "string" ? data : `(${data?.constructor?.name})`;

  window.WebSocket = class extends WebSocket {
    constructor(url, protocols) {
      super(url, protocols);
      note("ws open", String(url).replace(/traceid=[^&]*/, "traceid=…"));
      this.addEventListener("message", ({ data }) => note("ws <", plain(data)));
      this.addEventListener("close", ({ code, reason }) => note("ws closed", `${code} ${reason}`));
    }
    send(data) {
      note("ws >", plain(data));
      super.send(data);
    }
    close(...why) {
      note("ws close", why.join(" "));
      super.close(...why);
    }
  };

  const ask = window.fetch;
  window.fetch = async (input, init) => {
    const request = new Request(input, init), body = init?.body;
    const what = `${request.method} ${request.url}`;
    if (!/^http:\/\/127\.0\.0\.1/.test(request.url)) throw new TypeError("Failed to fetch");
    const headers = [...request.headers].filter(([name]) => name !== "authorization").map(([name, value]) => `${name}: ${value}`);
    note("http >", `${what}\n${headers.join("\n")}\n\n${plain(body)}`);
    const answer = await ask(input, init);
    const text = await answer.clone().text();
    note("http <", `${what} ${answer.status}\n${[...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n")}\n\n${text}`);
    return answer;
  };

  const open = XMLHttpRequest.prototype.open;
  XMLHttpRequest.prototype.open = function (method, url, ...more) {
    note("xhr", `${method} ${url}`);
    return open.call(this, method, url, ...more);
  };

  const channel = RTCPeerConnection.prototype.createDataChannel;
  RTCPeerConnection.prototype.createDataChannel = function (...form) {
    note("data channel", JSON.stringify(form));
    return channel.apply(this, form);
  };
}
