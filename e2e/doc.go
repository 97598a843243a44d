// Package e2e examines a whole Callboard from outside, with the software its
// users have: an AWS SDK drives the API over signed HTTP, participants made of
// Go and real browsers publish and watch, a binary is killed in the middle of
// joins, and strangers send what they should not.
//
// Every test starts a server of its own on free ports and compares what the API
// says with what the test did. Nothing waits for time to pass; everything waits
// for a fact, with a deadline.
//
// The tests have the build tag e2e. A missing program is a skip, or a failure
// when CALLBOARD_E2E is set to "all". The flag -e2e.kills makes the crash test longer;
// the variable CALLBOARD_SOAK ("10m") has two tests watch memory for that long each.
//
// testdata/conformance holds scenarios of calls with what must come of them.
// They are told to each of four SDKs, each with a server of its own: that of Go,
// that of JavaScript (run npm ci in js), and, where they are new enough, boto3
// and the AWS CLI.
package e2e
