package troupe_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"callboard/internal/troupe"
)

func TestOnlyAFreshProofForThisVeryRequestIsGood(t *testing.T) {
	t.Parallel()
	now := time.Now()
	clock := func() time.Time { return now }
	ours, theirs := troupe.NewSeal("secret", clock), troupe.NewSeal("another", clock)
	request := func(method, target string) *http.Request { return httptest.NewRequest(method, target, nil) }
	sealed := func(s troupe.Seal) *http.Request {
		r := request("POST", "/peer/clear?stage=a")
		s.Put(r, "one", "two")
		return r
	}
	good := sealed(ours)
	if from, err := ours.Check(good, "two"); err != nil || from != "one" {
		t.Fatalf("a good proof: %q, %v", from, err)
	}
	moved := func(method, target string) *http.Request {
		r := request(method, target)
		r.Header = sealed(ours).Header
		return r
	}
	twice := sealed(ours)
	twice.Header.Add("Callboard-Peer", twice.Header.Get("Callboard-Peer"))
	forged := sealed(ours)
	forged.Header.Set("Callboard-Peer", strings.Replace(forged.Header.Get("Callboard-Peer"), "one", "six", 1))
	for name, r := range map[string]*http.Request{
		"none":                request("POST", "/peer/clear?stage=a"),
		"another secret's":    sealed(theirs),
		"seen before":         good,
		"of another method":   moved("GET", "/peer/clear?stage=a"),
		"of another path":     moved("POST", "/peer/disconnect?stage=a"),
		"of another query":    moved("POST", "/peer/clear?stage=b"),
		"two at a time":       twice,
		"of somebody else":    forged,
		"not like one at all": func() *http.Request { r := sealed(ours); r.Header.Set("Callboard-Peer", "a b c d e"); return r }(),
		"with something added": func() *http.Request {
			r := sealed(ours)
			r.Header.Set("Callboard-Peer", r.Header.Get("Callboard-Peer")+" x")
			return r
		}(),
	} {
		if _, err := ours.Check(r, "two"); err == nil {
			t.Errorf("a proof %s is accepted", name)
		}
	}
	if _, err := ours.Check(sealed(ours), "three"); err == nil {
		t.Error("a proof for another process is accepted")
	}
	for _, age := range []time.Duration{31 * time.Second, -31 * time.Second} {
		r := sealed(ours)
		now = now.Add(age)
		if _, err := ours.Check(r, "two"); err == nil {
			t.Errorf("a proof %v old is accepted", age)
		}
		now = now.Add(-age)
	}
	r := sealed(ours)
	for range 3 { // however the memory of proofs turns over
		_, err := ours.Check(r, "two")
		now = now.Add(29 * time.Second)
		r2 := sealed(ours)
		ours.Check(r2, "two")
		if _, again := ours.Check(r2, "two"); again == nil {
			t.Errorf("a proof is good twice (%v)", err)
		}
	}
}

func TestStrangersAtThePeersDoorAreRefused(t *testing.T) {
	t.Parallel()
	n := newHouse(t).open()
	for _, path := range []string{"/peer/people", "/peer/leg", "/peer/clear", "/peer/disconnect", "/peer/pass/whip/", "/peer/", "/peer/nothing"} {
		for _, method := range []string{"GET", "POST", "OPTIONS"} {
			r, err := http.NewRequestWithContext(t.Context(), method, n.server.URL+path, nil)
			n.check(err)
			resp, err := n.server.Client().Do(r)
			n.check(err)
			resp.Body.Close()
			if resp.StatusCode != http.StatusForbidden {
				t.Errorf("%s %s: %s", method, path, resp.Status)
			}
		}
	}
}

func TestSettingsThatDifferAreNamedAndNothingOfThemIsTold(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	with := func(keys string) *node {
		return h.open(settings(map[string]string{"account": "123456789012", "keys": keys}))
	}
	with("secret-a")
	with("secret-b")
	with("secret-a")
	all, err := h.open().register.Processes(t.Context())
	h.check(err)
	var texts []string
	for _, p := range all {
		if p.Settings != "{}" {
			texts = append(texts, p.Settings)
		}
		if strings.Contains(p.Settings, "secret") || strings.Contains(p.Settings, "123456789012") {
			t.Errorf("the settings are told: %s", p.Settings)
		}
	}
	if len(texts) != 3 {
		t.Fatalf("the settings of all are %q", texts)
	}
	differ := 0
	for _, other := range texts[1:] {
		names := troupe.Differing(texts[0], other)
		differ += len(names)
		if len(names) > 0 && names[0] != "keys" {
			t.Errorf("said to differ are %q", names)
		}
	}
	if differ == 0 || differ > 2 {
		t.Errorf("%d differ", differ)
	}
}

func FuzzWhatAnotherProcessSends(f *testing.F) {
	f.Add([]byte(`{"news":[{"stage":"arn:aws:ivs:us-east-1:123456789012:stage/abc","id":"p","person":{"ID":"p"}}],"caughtUp":true}`))
	f.Add([]byte(`{"kind":"offer","stage":"arn:aws:ivs:us-east-1:123456789012:stage/abc","publisher":"p","offer":"v=0","options":{}}`))
	f.Add([]byte(`{"kind":"answer","refusal":{"offer":true,"problem":"malformed"}}`))
	f.Add([]byte(`{"tallies":[{"Quota":"publishers-per-stage","N":-1}]}`))
	f.Fuzz(func(_ *testing.T, data []byte) { troupe.Parse(data) })
}
