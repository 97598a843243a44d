package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"callboard/internal/keyring"
	"callboard/internal/server"
	"callboard/internal/server/servertest"
	"callboard/internal/sigv4"
)

// keep makes an access key in the data directory of a server that runs or does not.
func keep(t *testing.T, data string, like keyring.Key) keyring.Key {
	t.Helper()
	k, err := keyring.New(like, time.Now(), !like.Expires.IsZero())
	if err != nil {
		t.Fatal(err)
	}
	err = keyring.Change(t.Context(), filepath.Join(data, "keys.json"), time.Now(), func(keys []keyring.Key) ([]keyring.Key, error) {
		return append(keys, k), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func signing(k keyring.Key) sigv4.Key {
	return sigv4.Key{AccessKeyID: k.ID, Secret: k.Secret, SessionToken: k.SessionToken}
}

// create makes a stage with a key and gives its ARN, or the code of the refusal.
func create(ctx context.Context, s *servertest.Server, key sigv4.Key) (arn, code string) {
	var out struct{ Stage struct{ ARN string } }
	err := s.CallAs(ctx, key, "CreateStage", struct{}{}, &out)
	if f, ok := errors.AsType[*servertest.Failure](err); ok {
		return "", f.Code
	}
	if err != nil {
		return "", err.Error()
	}
	return out.Stage.ARN, ""
}

var (
	reader = []keyring.Policy{{Name: "IVSReadOnlyAccess"}}
	writer = []keyring.Policy{{Name: "IVSFullAccess"}}
)

func TestAKeyActsInItsAccountWithinItsPolicies(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	first := keep(t, data, keyring.Key{Account: "111111111111", Policies: writer})
	s := servertest.Start(t, func(c *server.Config) { c.Data = data })
	if arn, code := create(t.Context(), s, signing(first)); !strings.Contains(arn, ":111111111111:") {
		t.Errorf("a key from before the start: %q %s", arn, code)
	}
	second := keep(t, data, keyring.Key{Account: "222222222222", Policies: reader})
	if arn, code := create(t.Context(), s, signing(second)); code != "AccessDeniedException" {
		t.Errorf("a key without the right, made meanwhile: %q %s", arn, code)
	}
	forged := signing(second)
	forged.Secret = first.Secret
	if arn, code := create(t.Context(), s, forged); code != "InvalidSignatureException" {
		t.Errorf("with the secret of another key: %q %s", arn, code)
	}
	if arn, err := s.CreateStage(t.Context()); err != nil || !strings.Contains(arn, ":"+s.Config.Account+":") {
		t.Errorf("the root pair: %q, %v", arn, err)
	}
}

func TestWithDevAKnownKeyKeepsItsAccountAndPolicies(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	known := keep(t, data, keyring.Key{Account: "111111111111", Policies: reader})
	s := servertest.Start(t, func(c *server.Config) {
		c.Data, c.Dev, c.AccessKeyID, c.SecretAccessKey = data, true, "", ""
	})
	key := signing(known)
	key.Secret = "anything"
	if arn, code := create(t.Context(), s, key); code != "AccessDeniedException" {
		t.Errorf("a key with policies: %q %s", arn, code)
	}
	ended := keep(t, data, keyring.Key{Account: "111111111111", Policies: reader, Expires: time.Now().Add(-time.Hour)})
	if arn, code := create(t.Context(), s, signing(ended)); code != "AccessDeniedException" {
		t.Errorf("a key that has ended: %q %s", arn, code)
	}
	for id, account := range map[string]string{"test": s.Config.Account, "333333333333": "333333333333"} {
		if arn, code := create(t.Context(), s, sigv4.Key{AccessKeyID: id, Secret: "x"}); !strings.Contains(arn, ":"+account+":") {
			t.Errorf("the unknown key %s: %q %s", id, arn, code)
		}
	}
}

func TestRequestsNameOnlyTheRegionsOfTheSetting(t *testing.T) {
	t.Parallel()
	for _, dev := range []bool{false, true} {
		s := servertest.Start(t, func(c *server.Config) {
			c.Dev, c.Regions = dev, []string{"eu-north-1", c.Region}
		})
		credentials := s.Credentials()
		key := sigv4.Key{AccessKeyID: credentials.AccessKeyID, Secret: credentials.SecretAccessKey}
		for region, want := range map[string]int{s.Config.Region: 200, "eu-north-1": 200, "eu-north-2": 403} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+"/ListStages", strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			sigv4.Sign(r, []byte("{}"), key, region, "ivs", time.Now())
			resp, err := s.Client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(resp.Body)
			if resp.Body.Close(); err != nil || resp.StatusCode != want {
				t.Errorf("%s with dev %v: %s %s, %v, want %d", region, dev, resp.Status, text, err, want)
			}
			if want != 200 && !strings.Contains(string(text), "Credential should be scoped to a valid region, not 'eu-north-2'.") {
				t.Errorf("the refusal is %s", text)
			}
		}
	}
}

func TestOnlyATrustedProxySaysWhereARequestCameFrom(t *testing.T) {
	t.Parallel()
	office := keyring.Policy{Name: "office", Document: json.RawMessage(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"ivs:*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}}}]}`)}
	for _, trusted := range []bool{false, true} {
		data := t.TempDir()
		k := keep(t, data, keyring.Key{Account: "111111111111", Policies: []keyring.Policy{office}})
		s := servertest.Start(t, func(c *server.Config) {
			c.Data = data
			if trusted {
				c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
			}
		})
		s.Client.Transport = forwarder{s.Client.Transport}
		if arn, code := create(t.Context(), s, signing(k)); trusted != (code == "") {
			t.Errorf("with a trusted proxy %v: %q %s", trusted, arn, code)
		}
	}
}

// forwarder says that requests come from the office.
type forwarder struct{ http.RoundTripper }

func (f forwarder) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set("X-Forwarded-For", "203.0.113.7")
	return f.RoundTripper.RoundTrip(r)
}

func (f forwarder) CloseIdleConnections() { f.RoundTripper.(*http.Transport).CloseIdleConnections() }

func TestNoLogShowsASecret(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	var log lockedBuffer
	long := keep(t, data, keyring.Key{Account: "111111111111", Policies: writer})
	temporary := keep(t, data, keyring.Key{Account: "111111111111", Policies: reader, Expires: time.Now().Add(time.Hour)})
	s := servertest.Start(t, func(c *server.Config) { c.Data, c.LogOutput, c.LogLevel = data, &log, -4 })
	for _, k := range []keyring.Key{long, temporary, keep(t, data, keyring.Key{Account: "111111111111"})} {
		key := signing(k)
		create(t.Context(), s, key)
		key.Secret, key.SessionToken = "wrong", key.SessionToken+"wrong"
		create(t.Context(), s, key)
	}
	s.Close()
	text := log.String()
	if !strings.Contains(text, "AccessDenied") || !strings.Contains(text, "the access keys have changed") {
		t.Errorf("the log tells nothing: %s", text)
	}
	for _, secret := range []string{long.Secret, temporary.Secret, temporary.SessionToken, s.Config.SecretAccessKey} {
		if strings.Contains(text, secret) {
			t.Errorf("the log shows a secret: %s", text)
		}
	}
}

// lockedBuffer collects a log.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func TestTheLogTellsOfABadFileWhenOnlyTheRootPairIsUsed(t *testing.T) {
	t.Parallel()
	for _, anybody := range []bool{false, true} {
		ctx, data := bounded(t), t.TempDir()
		var log lockedBuffer
		s := servertest.Start(t, func(c *server.Config) { c.Data, c.LogOutput, c.Dev = data, &log, anybody })
		if err := os.WriteFile(filepath.Join(data, "keys.json"), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		for !strings.Contains(log.String(), "the access keys have changed and cannot be used") {
			if err := s.Call(ctx, "ListStages", struct{}{}, nil); err != nil {
				t.Fatalf("with dev %v: %v: %s", anybody, err, log.String())
			}
		}
	}
}
