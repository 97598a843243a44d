// Package iam is the language in which AWS users say who may do what: identity
// policies, parsed, decided and explained.
//
// [Parse] reads a policy document. It is strict where a mistake would grant or
// deny something nobody meant: unknown elements, members that occur twice, operators
// that do not exist and operands that are no date, number or network are errors
// that name the line. What is sound but of no use here, such as a misspelt
// action, is told by [Policy.Doubts].
//
// [Decide] answers one question about one request: a Deny statement that applies
// wins, else an Allow statement that applies, else the request is denied.
// [Explain] gives the same answer statement by statement, for people.
//
// A statement is a list of patterns and conditions compiled once. Text of a policy
// is kept with its wildcards and variables replaced by bytes that no UTF-8 text
// contains, so matching needs no escapes; see [text].
//
// The package knows no clock, no file and no network. What a condition compares
// with is asked from the request, and only when a statement gets that far.
//
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies.html
package iam
