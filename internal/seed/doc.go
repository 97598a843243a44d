// Package seed puts into a server what a team wants to find there from the start:
// stages with participant tokens, public keys, and access keys with policies.
//
// A seed is a YAML file. [Load] reads it strictly and wholly before anything is
// written, so that a mistake stops the start with its line and changes nothing.
// [Plan.Sow] then does what the plan says through the same service, under the
// same rules, as a caller of the API. Sown again over facts that are there it
// makes nothing twice: a stage is known by its id or else by its name, a public
// key by its material. Tokens are new each time; the server keeps none.
package seed
