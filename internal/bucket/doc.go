// Package bucket knows the places where recordings are to be kept.
//
// [Open] takes what an operator calls the place: a directory, in which each
// bucket is a directory, or the URL of an object store that speaks S3. A caller
// of the API names a bucket in it and nothing else, so a name never leads out
// of the place. [Buckets.Probe] finds out whether a bucket is there and takes
// what is written to it, by writing a little and removing it again.
//
// The package signs its requests itself, follows no redirect and gives up
// after a while.
package bucket
