package token

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

var issued = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const keyID = "arn:aws:ivs:eu-central-1:123456789012:public-key/f99cde61-c2b0-4df3-8941-ca7d38acca1a"

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func someClaims() Claims {
	return Claims{
		ParticipantID: "Mx6clRRH_ODPy-1",
		UserID:        "alice \u00e9\u4e16<&>",
		Stage:         "arn:aws:ivs:eu-central-1:123456789012:stage/oRmLNwuCeMlQ",
		Topic:         "oRmLNwuCeMlQ",
		EventsURL:     "wss://board.example/events",
		WHIPURL:       "https://board.example/whip",
		Attributes:    map[string]string{"role": "host", "": "\u2028"},
		Publish:       true,
		Subscribe:     true,
		IssuedAt:      issued,
		Expires:       issued.Add(12 * time.Hour),
	}
}

// customerToken signs any header and payload, as a customer's own code would.
func customerToken(t testing.TB, key *ecdsa.PrivateKey, header, payload string) string {
	t.Helper()
	signed := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	signature, err := jwt.SigningMethodES384.Sign(signed, key)
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func goodHeader() map[string]any {
	return map[string]any{"alg": "ES384", "typ": "JWT", "kid": keyID}
}

func goodPayload() map[string]any {
	return map[string]any{
		"exp": issued.Unix() + 3600, "iat": issued.Unix(), "jti": "Mx6clRRHODPy", "user_id": "alice",
		"resource": "arn:aws:ivs:eu-central-1:123456789012:stage/oRmLNwuCeMlQ", "topic": "oRmLNwuCeMlQ",
		"events_url": "wss://x", "whip_url": "https://x",
		"capabilities": map[string]any{"allow_publish": true, "allow_subscribe": true},
		"attributes":   map[string]any{"role": "host"}, "version": "1.0",
	}
}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAMintedTokenReadsBackAsItWasMeant(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	cases := map[string]func(*Claims){
		"everything":           func(*Claims) {},
		"no user id":           func(c *Claims) { c.UserID = "" },
		"no attributes":        func(c *Claims) { c.Attributes = nil },
		"join only":            func(c *Claims) { c.Publish, c.Subscribe = false, false },
		"subscribe only":       func(c *Claims) { c.Publish = false },
		"the longest life":     func(c *Claims) { c.Expires = c.IssuedAt.Add(MaxLife) },
		"the longest jti":      func(c *Claims) { c.ParticipantID = strings.Repeat("_", 64) },
		"the longest user id":  func(c *Claims) { c.UserID = strings.Repeat("\U0001F600", 128) },
		"the worst attributes": func(c *Claims) { c.Attributes = worstAttributes(); c.UserID = strings.Repeat("\x01", 128) },
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := someClaims()
			change(&want)
			text, err := Mint(key, keyID, want)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Parse(text, issued)
			if err != nil {
				t.Fatal(err)
			}
			if err := got.Verify(&key.PublicKey); err != nil {
				t.Fatal(err)
			}
			if got.KeyID() != keyID {
				t.Errorf("key id %q", got.KeyID())
			}
			if !reflect.DeepEqual(got.Claims(), want) {
				t.Errorf("got  %+v\nwant %+v", got.Claims(), want)
			}
		})
	}
}

// worstAttributes are legal attributes with the longest JSON form: many short
// keys, each byte of which needs an escape of six.
func worstAttributes() map[string]string {
	all := map[string]string{}
	for i := range 512 {
		all[string([]byte{byte(i % 31), byte(i / 31)})] = ""
	}
	return all
}

func TestAMintedTokenIsReadByAnyJWTLibrary(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	c := someClaims()
	c.Publish = false
	text, err := Mint(key, "callboard:1", c)
	if err != nil {
		t.Fatal(err)
	}
	claims := jwt.MapClaims{}
	parsed, err := jwt.ParseWithClaims(text, claims, func(*jwt.Token) (any, error) { return &key.PublicKey, nil },
		jwt.WithTimeFunc(func() time.Time { return issued }), jwt.WithIssuedAt(), jwt.WithExpirationRequired())
	if err != nil {
		t.Fatal(err)
	}
	if want := (map[string]any{"alg": "ES384", "typ": "JWT", "kid": "callboard:1"}); !reflect.DeepEqual(parsed.Header, want) {
		t.Errorf("header %v", parsed.Header)
	}
	want := jwt.MapClaims{
		"exp": float64(c.Expires.Unix()), "iat": float64(issued.Unix()), "jti": c.ParticipantID, "user_id": c.UserID,
		"resource": c.Stage, "topic": c.Topic, "events_url": c.EventsURL, "whip_url": c.WHIPURL,
		"capabilities": map[string]any{"allow_subscribe": true},
		"attributes":   map[string]any{"role": "host", "": "\u2028"}, "version": "1.0",
	}
	if !reflect.DeepEqual(claims, want) {
		t.Errorf("claims\n%v\nwant\n%v", claims, want)
	}
}

func TestATokenSignedByACustomerIsAccepted(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	cases := map[string]func(header, payload map[string]any){
		"as documented":                      func(h, p map[string]any) {},
		"without the optional claims":        func(h, p map[string]any) { delete(p, "user_id"); delete(p, "attributes") },
		"with null for the optional claims":  func(h, p map[string]any) { p["user_id"], p["attributes"] = nil, nil },
		"with claims we do not know":         func(h, p map[string]any) { p["aud"] = []any{1, nil} },
		"with header members we do not know": func(h, p map[string]any) { h["cty"] = "x" },
		"with empty capabilities":            func(h, p map[string]any) { p["capabilities"] = map[string]any{} },
		"issued by a clock 60 s ahead":       func(h, p map[string]any) { p["iat"] = issued.Unix() + 60 },
		"expired":                            func(h, p map[string]any) { p["exp"], p["iat"] = 1, 0 },
		"with attributes of 1024 bytes": func(h, p map[string]any) {
			p["attributes"] = map[string]any{"abcd": strings.Repeat("\u00e9", 510)}
		},
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			header, payload := goodHeader(), goodPayload()
			change(header, payload)
			got, err := Parse(customerToken(t, key, asJSON(t, header), asJSON(t, payload)), issued)
			if err != nil {
				t.Fatal(err)
			}
			if err := got.Verify(&key.PublicKey); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOnlyTheKeyThatSignedVerifies(t *testing.T) {
	t.Parallel()
	key, other := newKey(t), newKey(t)
	small, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text, err := Mint(key, keyID, someClaims())
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := Parse(text, issued)
	if err != nil {
		t.Fatal(err)
	}
	for name, pub := range map[string]*ecdsa.PublicKey{"another key": &other.PublicKey, "a P-256 key": &small.PublicKey, "no key": nil} {
		if err := parsed.Verify(pub); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if err := parsed.Verify(&key.PublicKey); err != nil {
		t.Error(err)
	}
}

func TestAChangedTokenIsWorthless(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	text, err := Mint(key, keyID, someClaims())
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(text); i += 5 { // over the length, all places in a group of four characters
		changed := []byte(text)
		changed[i] ^= 1
		parsed, err := Parse(string(changed), issued)
		if err == nil {
			err = parsed.Verify(&key.PublicKey)
		}
		if err == nil {
			t.Errorf("byte %d may change", i)
		}
	}
}

func TestATokenExpiresAtItsSecond(t *testing.T) {
	t.Parallel()
	text, err := Mint(newKey(t), keyID, someClaims())
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := Parse(text, issued.AddDate(10, 0, 0))
	if err != nil {
		t.Fatalf("expired is not malformed: %v", err)
	}
	exp := someClaims().Expires
	if parsed.Expired(exp.Add(-time.Nanosecond)) {
		t.Error("expired before its time")
	}
	if !parsed.Expired(exp) {
		t.Error("not expired at exp")
	}
}

func TestMintRefusesWhatParseWouldRefuse(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	cases := map[string]func(*Claims){
		"no participant id":           func(c *Claims) { c.ParticipantID = "" },
		"user id not UTF-8":           func(c *Claims) { c.UserID = "\xff" },
		"attributes not UTF-8":        func(c *Claims) { c.Attributes = map[string]string{"a": "\xff"} },
		"too many attributes":         func(c *Claims) { c.Attributes = map[string]string{"a": strings.Repeat("b", MaxAttributes)} },
		"no stage":                    func(c *Claims) { c.Stage = "" },
		"another topic":               func(c *Claims) { c.Topic = "x" },
		"no events endpoint":          func(c *Claims) { c.EventsURL = "" },
		"no WHIP endpoint":            func(c *Claims) { c.WHIPURL = "" },
		"too long a life":             func(c *Claims) { c.Expires = c.IssuedAt.Add(MaxLife + time.Second) },
		"no times":                    func(c *Claims) { c.IssuedAt, c.Expires = time.Time{}, time.Time{} },
		"endpoints beyond all bounds": func(c *Claims) { c.WHIPURL = strings.Repeat("a", MaxLength) },
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := someClaims()
			change(&c)
			if text, err := Mint(key, keyID, c); err == nil {
				t.Errorf("minted %s", text)
			}
		})
	}
	if _, err := Mint(key, "", someClaims()); err == nil {
		t.Error("minted without a key id")
	}
	if _, err := Mint(nil, keyID, someClaims()); err == nil {
		t.Error("minted without a key")
	}
}

func TestTheClaimsHandedOutAreACopy(t *testing.T) {
	t.Parallel()
	text, err := Mint(newKey(t), keyID, someClaims())
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := Parse(text, issued)
	if err != nil {
		t.Fatal(err)
	}
	clear(parsed.Claims().Attributes)
	if !maps.Equal(parsed.Claims().Attributes, someClaims().Attributes) {
		t.Error("the token changed")
	}
}

func TestNeitherErrorsNorLogsShowTheToken(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	payload := goodPayload()
	payload["jti"] = "secret.secret"
	text := customerToken(t, key, asJSON(t, goodHeader()), asJSON(t, payload))
	_, err := Parse(text, issued)
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
	good, err := Mint(key, keyID, someClaims())
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := Parse(good, issued)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("join", "token", parsed)
	shown := log.String() + fmt.Sprintf("%v %+v %s", parsed, parsed, parsed)
	for part := range strings.SplitSeq(good, ".") {
		if strings.Contains(shown, part) {
			t.Errorf("shown: %s", shown)
		}
	}
}

func FuzzParse(f *testing.F) {
	key := newKey(f)
	minted, err := Mint(key, keyID, someClaims())
	if err != nil {
		f.Fatal(err)
	}
	header := asJSON(f, goodHeader())
	f.Add(minted)
	f.Add("")
	f.Add("..")
	f.Add("e30.e30.")
	f.Add(customerToken(f, key, header, asJSON(f, goodPayload())))
	f.Add(customerToken(f, key, header, `{"exp":1,"iat":1e3,"attributes":{"a":"\ud800"}}`))
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := Parse(text, issued)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		// What is accepted can be minted again and means the same.
		again, err := Mint(key, parsed.KeyID(), parsed.Claims())
		if err != nil {
			t.Fatalf("accepted but not mintable: %v", err)
		}
		second, err := Parse(again, issued)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(second.Claims(), parsed.Claims()) || second.KeyID() != parsed.KeyID() {
			t.Fatalf("changed its meaning: %+v, %+v", parsed.Claims(), second.Claims())
		}
	})
}
