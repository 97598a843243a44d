import { StageError } from "./names.js";

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
      if (typeof claims[name] !== "string" || claims[name] === "") throw new Error(`it has no ${name}`);
    }
    return claims;
  } catch (cause) {
    throw new StageError("TOKEN_MALFORMED", "JOIN_ERROR", `This is not a participant token: ${cause.message}`);
  }
}
