// Package whip is the door for media: WHIP (RFC 9725) to publish, WHEP
// (draft-ietf-wish-whep) to subscribe, over HTTP.
//
// An [Endpoint] reads requests, has the register verify the participant token,
// hands offers to the floor and writes answers. A media session has an unguessable
// URL of its own, where candidates are added, ICE is restarted, and where it
// is deleted. Browsers of any origin may come in: the token is the authority.
package whip
