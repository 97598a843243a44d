import { StageError } from "./names.js";

class Fault extends Error {}

/**
 * Reads what a participant token says about its participant and its server.
 * The signature is the server's business.
 */
export function readToken(token) {
  try {
    const part = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(part), (c) => c.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes));
    for (const name of ["jti", "topic", "whip_url", "events_url"]) {
      if (typeof claims[name] !== "string" || claims[name] === "") throw new Fault(`it has no ${name}`);
    }
    // Paths are appended to these, which must not change the host that the token names.
    for (const name of ["whip_url", "events_url"]) {
      if (!/^(https?|wss?):\/\/[^/\\]/i.test(claims[name]) || !URL.canParse(claims[name])) throw new Fault(`its ${name} is no address`);
    }
    for (const name of ["jti", "topic"]) {
      if (!/^[\w-]+$/.test(claims[name])) throw new Fault(`its ${name} is no name`);
    }
    return claims;
  } catch (cause) {
    const why = cause instanceof Fault ? `: ${cause.message}` : "";
    throw new StageError("TOKEN_MALFORMED", "JOIN_ERROR", `This is not a participant token${why}`);
  }
}
