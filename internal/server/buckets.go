package server

import (
	"context"
	"errors"
	"fmt"

	"callboard/internal/bucket"
	"callboard/internal/stage"
)

// prober tells the domain about buckets; nil if they are not looked at.
func (c *Config) prober() (func(context.Context, string) error, error) {
	if c.Buckets == "" {
		return nil, nil
	}
	buckets, err := bucket.Open(bucket.Options{
		Location:        c.Buckets,
		Region:          c.Region,
		AccessKeyID:     c.BucketsAccessKeyID,
		SecretAccessKey: c.BucketsSecretAccessKey,
	})
	if err != nil {
		return nil, fmt.Errorf("buckets cannot be used: %w", err)
	}
	return func(ctx context.Context, name string) error { return probed(name, buckets.Probe(ctx, name)) }, nil
}

// probed says in the words of the domain how a probe went.
func probed(name string, err error) error {
	switch {
	case errors.Is(err, bucket.ErrMissing):
		return &stage.Error{Kind: stage.NotFound, Message: "Bucket " + name + " does not exist", Err: err}
	case errors.Is(err, bucket.ErrDenied):
		return &stage.Error{Kind: stage.Denied, Message: "Bucket " + name + " cannot be written to by this server", Err: err}
	case err != nil:
		return fmt.Errorf("probe bucket %s: %w", name, err)
	}
	return nil
}
