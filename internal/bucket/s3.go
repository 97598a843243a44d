package bucket

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"callboard/internal/sigv4"
)

const (
	probe    = "callboard was here\n" // what a probe writes
	probeKey = ".callboard-probe"     // of the object; always the same, so that at most one is ever left behind

	defaultTimeout = 15 * time.Second // of a whole probe
	maxAnswer      = 64 << 10         // bytes of an answer that are looked at
)

// s3 is an object store, spoken to in the path style, which all of them know.
type s3 struct {
	base    *url.URL
	region  string
	key     sigv4.Key
	client  *http.Client
	timeout time.Duration
}

func openS3(o Options) (*s3, error) {
	base, region, err := parseURL(o.Location)
	if err != nil {
		return nil, err
	}
	if region == "" {
		region = o.Region
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true // probes are rare
	return &s3{
		base:   base,
		region: region,
		key:    sigv4.Key{AccessKeyID: o.AccessKeyID, Secret: o.SecretAccessKey},
		client: &http.Client{
			Transport: transport,
			// A redirected request would not fit its signature, and might lead anywhere.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		timeout: defaultTimeout,
	}, nil
}

func (s *s3) Probe(ctx context.Context, bucket string) error {
	if err := checkName(bucket); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	// To look at a bucket needs another right than to write to it, so only the
	// latter decides about a denial.
	if err := s.do(ctx, http.MethodHead, "/"+bucket, ""); err != nil && !errors.Is(err, ErrDenied) {
		return err
	}
	object := "/" + bucket + "/" + probeKey
	if err := s.do(ctx, http.MethodPut, object, probe); err != nil {
		return err
	}
	// A bucket that lets nobody remove anything is good for recordings.
	if err := s.do(ctx, http.MethodDelete, object, ""); err != nil && !errors.Is(err, ErrDenied) {
		return err
	}
	return nil
}

// do sends one request, and judges its answer.
func (s *s3) do(ctx context.Context, method, path, body string) error {
	r, err := http.NewRequestWithContext(ctx, method, s.base.JoinPath(path).String(), bytes.NewReader([]byte(body)))
	if err != nil {
		return err
	}
	sigv4.Sign(r, []byte(body), s.key, s.region, "s3", time.Now())
	answer, err := s.client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if err := judge(answer.StatusCode, answer.Header, errorCode(text)); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

// judge says what an answer with a status and a code of S3 means for a bucket:
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html. Answers to
// HEAD have no code.
func judge(status int, header http.Header, code string) error {
	answered := fmt.Errorf("the object store answered %d %s", status, code)
	switch {
	case status/100 == 2:
		return nil
	case status == http.StatusNotFound:
		return fmt.Errorf("%w: %w", ErrMissing, answered)
	case status/100 == 3 && header.Get("X-Amz-Bucket-Region") != "": // not in this region
		return fmt.Errorf("%w: %w", ErrMissing, answered)
	case status == http.StatusForbidden && (code == "" || code == "AccessDenied" || code == "AllAccessDisabled"):
		return fmt.Errorf("%w: %w", ErrDenied, answered)
	}
	return answered
}

// errorCode reads the code in the XML of an error, "" if there is none.
func errorCode(text []byte) string {
	var body struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
	}
	if xml.Unmarshal(text, &body) != nil || !isCode(body.Code) {
		return ""
	}
	return body.Code
}

// isCode keeps what a store says out of the log if it is no code.
func isCode(s string) bool {
	for i := range len(s) {
		if c := s[i] | 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	return len(s) <= 64
}
