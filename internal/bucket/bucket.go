package bucket

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
)

// What is to be known of a bucket that is not as it should be.
var (
	ErrMissing = errors.New("the bucket does not exist")
	ErrDenied  = errors.New("the bucket cannot be written to")
)

// Buckets is a place with buckets.
type Buckets interface {
	// Probe writes a small object to a bucket and removes it. It answers
	// ErrMissing when there is no such bucket, ErrDenied when it may not be
	// written to, and another error when the place is in trouble.
	Probe(ctx context.Context, bucket string) error
}

// Options say where the buckets are.
type Options struct {
	// Location is a directory that exists, or the URL of an object store,
	// http(s)://host[:port]/?region=name.
	Location string

	// What requests to an object store are signed with. Region counts when the
	// URL names none.
	Region          string
	AccessKeyID     string
	SecretAccessKey string
}

// Open finds the place. It does not speak to an object store yet.
func Open(o Options) (Buckets, error) {
	if IsURL(o.Location) {
		return openS3(o)
	}
	return openDirectory(o.Location)
}

// IsURL says whether a location is that of an object store.
func IsURL(location string) bool {
	return strings.HasPrefix(location, "http://") || strings.HasPrefix(location, "https://")
}

func parseURL(location string) (base *url.URL, region string, err error) {
	u, err := url.Parse(location)
	if err != nil {
		return nil, "", errors.Unwrap(err) // without the text, which may hold a password
	}
	query := u.Query()
	region = query.Get("region")
	query.Del("region")
	switch {
	case u.Hostname() == "":
		return nil, "", errors.New("it names no host")
	case u.User != nil:
		return nil, "", errors.New("it must not hold credentials; they have settings of their own")
	case strings.Trim(u.Path, "/") != "" || u.Fragment != "" || len(query) > 0:
		return nil, "", errors.New("it must be like https://host:9000/?region=us-east-1")
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, region, nil
}

// name is what S3 calls a bucket:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html.
var name = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// checkName answers ErrMissing for what cannot be the name of a bucket.
func checkName(bucket string) error {
	if !name.MatchString(bucket) || strings.Contains(bucket, "..") || !filepath.IsLocal(bucket) {
		return fmt.Errorf("%w: it is no name of a bucket", ErrMissing)
	}
	return nil
}
