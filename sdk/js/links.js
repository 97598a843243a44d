// What an answer of the server says beside its body, in Link headers.

const link = /<([^>]*)>((?:\s*;\s*[\w-]+="[^"]*")*)/g, parameter = /([\w-]+)="([^"]*)"/g;

/** Reads a Link header (RFC 8288): a list of { target, rel, ... } with the parameters by name. */
export function readLinks(header) {
  return [...(header ?? "").matchAll(link)].map(([, target, parameters]) =>
    ({ target, ...Object.fromEntries([...parameters.matchAll(parameter)].map(([, name, value]) => [name, value])) }));
}

/** The STUN and TURN servers among links (RFC 9725, section 4.6), as RTCPeerConnection takes them. */
export function iceServers(links) {
  return links.filter(({ rel }) => rel === "ice-server")
    .map(({ target, username, credential }) => ({ urls: target, ...(username && { username, credential }) }));
}
