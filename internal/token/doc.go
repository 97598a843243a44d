// Package token makes and checks participant tokens: the permission to join a
// stage.
//
// A token is a JSON Web Token in compact form, signed with ECDSA on P-384
// (ES384). The server signs its own with [Mint]; customers who imported a public
// key sign theirs, with the same claims. [Parse] checks everything that can be
// checked without a key and names the claim that is wrong; the key id it found
// tells the caller which key to give to [Token.Verify]. Whether the token has
// expired is a third question, [Token.Expired], because it has another answer
// for the participant, and because a participant who is already in may go on.
//
// Everything here is a pure function of bytes, keys and a time. Nothing reads a
// clock or remembers anything, and no error or log value ever contains a token.
//
// Sources: RFC 7515 (JWS, https://www.rfc-editor.org/rfc/rfc7515), RFC 7518
// section 3.4 (ES384, https://www.rfc-editor.org/rfc/rfc7518#section-3.4), RFC
// 7519 (JWT), RFC 8725 (JWT best practice), and for the claims
// https://docs.aws.amazon.com/ivs/latest/RealTimeUserGuide/getting-started-distribute-tokens.html
package token
