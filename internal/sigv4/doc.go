// Package sigv4 signs HTTP requests with AWS Signature Version 4 and verifies
// such signatures.
//
// A [Verifier] takes a request with its whole body and answers whose key signed
// it, or an [Error] with the code and text that AWS clients expect. It knows the
// two forms in which a signature travels: the Authorization header, and the
// X-Amz- query parameters of a presigned URL. [Sign] is the other side, for our
// own clients.
//
// Both sides build the same text, the canonical request: method, path, query,
// the signed headers and the hash of the body. The path is the escaped path as
// it travels, escaped once more and never cleaned; S3 alone takes it as it
// travels, and wants the X-Amz-Content-Sha256 header. The text is hashed, joined with time and scope and signed with
// a key derived from the secret, the day, the region and the service.
//
// The package knows neither services nor operations, remembers no
// secrets except those it has recently seen at work, and does no I/O.
//
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
package sigv4
