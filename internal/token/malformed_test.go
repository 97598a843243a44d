package token

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// A raw value replaces a member with JSON that a map could not hold.
type raw = json.RawMessage

func TestAMalformedTokenIsRefusedWithTheNameOfItsFault(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	type change = func(header, payload map[string]any)
	set := func(name string, value any) change { return func(_, p map[string]any) { p[name] = value } }
	drop := func(name string) change { return func(_, p map[string]any) { delete(p, name) } }
	head := func(name string, value any) change { return func(h, _ map[string]any) { h[name] = value } }
	cases := []struct {
		name   string
		change change
		want   string
	}{
		{"alg none", head("alg", "none"), "alg"},
		{"alg HS384", head("alg", "HS384"), "alg"},
		{"alg in lower case", head("alg", "es384"), "alg"},
		{"alg missing", func(h, _ map[string]any) { delete(h, "alg") }, "alg"},
		{"alg under another spelling", func(h, _ map[string]any) { delete(h, "alg"); h["ALG"] = "ES384" }, "alg"},
		{"typ missing", func(h, _ map[string]any) { delete(h, "typ") }, "typ"},
		{"typ other", head("typ", "at+jwt"), "typ"},
		{"kid missing", func(h, _ map[string]any) { delete(h, "kid") }, "kid"},
		{"kid empty", head("kid", ""), "kid"},
		{"kid a number", head("kid", 7), "kid"},
		{"critical extension", head("crit", []string{"b64"}), "crit"},
		{"exp missing", drop("exp"), "exp"},
		{"exp text", set("exp", "1772370000"), "exp"},
		{"exp null", set("exp", nil), "exp"},
		{"exp a fraction", set("exp", raw("1772370000.5")), "exp"},
		{"exp with an exponent", set("exp", raw("1e9")), "exp"},
		{"exp a whole fraction", set("exp", raw("1772370000.0")), "exp"},
		{"exp beyond all numbers", set("exp", raw("99999999999999999999")), "exp"},
		{"exp in milliseconds", set("exp", issued.UnixMilli()), "exp"},
		{"exp negative", set("exp", -1), "exp"},
		{"exp the largest number", set("exp", int64(1<<63-1)), "exp"},
		{"exp 14 days and a second after iat", set("exp", issued.Unix()+14*24*3600+1), "exp"},
		{"iat missing", drop("iat"), "iat"},
		{"iat the smallest number", set("iat", int64(-1<<63)), "iat"},
		{"iat 61 s in the future", set("iat", issued.Unix()+61), "iat"},
		{"iat a boolean", set("iat", true), "iat"},
		{"jti missing", drop("jti"), "jti"},
		{"jti empty", set("jti", ""), "jti"},
		{"jti too long", set("jti", strings.Repeat("a", 65)), "jti"},
		{"jti with a dot", set("jti", "a.b"), "jti"},
		{"jti with a line break at the end", set("jti", "ab\n"), "jti"},
		{"jti a number", set("jti", 5), "jti"},
		{"user_id too long", set("user_id", strings.Repeat("\u00e9", 129)), "user_id"},
		{"user_id a number", set("user_id", 5), "user_id"},
		{"resource missing, as in a connection token", drop("resource"), "resource"},
		{"resource under another spelling", func(_, p map[string]any) { p["Resource"] = p["resource"]; delete(p, "resource") }, "resource"},
		{"resource empty", set("resource", ""), "resource"},
		{"resource no ARN", set("resource", "oRmLNwuCeMlQ"), "resource"},
		{"resource another thing", set("resource", "arn:aws:ivs:eu-central-1:123456789012:channel/oRmLNwuCeMlQ"), "resource"},
		{"topic missing", drop("topic"), "topic"},
		{"topic another stage", set("topic", "oRmLNwuCeMlR"), "topic"},
		{"events_url missing", drop("events_url"), "events_url"},
		{"events_url empty", set("events_url", ""), "events_url"},
		{"whip_url missing", drop("whip_url"), "whip_url"},
		{"whip_url empty", set("whip_url", ""), "whip_url"},
		{"whip_url a list", set("whip_url", []string{"x"}), "whip_url"},
		{"capabilities missing", drop("capabilities"), "capabilities"},
		{"capabilities null", set("capabilities", nil), "capabilities"},
		{"capabilities a list", set("capabilities", []string{"PUBLISH"}), "capabilities"},
		{"capabilities with text", set("capabilities", map[string]any{"allow_publish": "true"}), "capabilities"},
		{"capabilities with a number", set("capabilities", map[string]any{"allow_subscribe": 1}), "capabilities"},
		{"capabilities said twice", set("capabilities", raw(`{"allow_publish":false,"allow_publish":true}`)), "capabilities"},
		{"attributes a list", set("attributes", []string{}), "attributes"},
		{"attributes with a number", set("attributes", map[string]any{"a": 1}), "attributes"},
		{"attributes with null", set("attributes", map[string]any{"a": nil}), "attributes"},
		{"attributes said twice", set("attributes", raw(`{"a":"b","a":"c"}`)), "attributes"},
		{"attributes of 1025 bytes", set("attributes", map[string]any{"abcde": strings.Repeat("\u00e9", 510)}), "attributes"},
		{"version missing", drop("version"), "version"},
		{"version a number", set("version", raw("1.0")), "version"},
		{"version other", set("version", "1"), "version"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			header, payload := goodHeader(), goodPayload()
			c.change(header, payload)
			// Not json.Marshal of the whole: it would compact or refuse raw members.
			_, err := Parse(customerToken(t, key, asJSON(t, header), object(t, payload)), issued)
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("got %v", err)
			}
			if !strings.Contains(err.Error(), `"`+c.want+`"`) {
				t.Errorf("%q does not name %q", err, c.want)
			}
		})
	}
}

func object(t testing.TB, members map[string]any) string {
	var parts []string
	for name, value := range members {
		text, ok := value.(raw)
		if !ok {
			text = raw(asJSON(t, value))
		}
		parts = append(parts, fmt.Sprintf("%q:%s", name, text))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func TestTextThatIsNoTokenIsMalformed(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	header, payload := asJSON(t, goodHeader()), asJSON(t, goodPayload())
	good := customerToken(t, key, header, payload)
	cut := func(s string, n int) string { return s[:len(s)-n] }
	// The last character of 96 bytes carries no spare bits; that of the header may.
	cases := map[string]string{
		"nothing":                        "",
		"a word":                         "hello",
		"two parts":                      good[:strings.LastIndex(good, ".")],
		"four parts":                     good + ".",
		"only dots":                      "..",
		"a signature cut short":          cut(good, 4),
		"no signature":                   good[:strings.LastIndex(good, ".")+1],
		"padding":                        good + "=",
		"a line break inside":            good[:len(good)-8] + "\n" + good[len(good)-8:],
		"space around":                   " " + good,
		"standard base64":                cut(good, 1) + "+",
		"too long":                       good + strings.Repeat("A", MaxLength),
		"header no JSON":                 customerToken(t, key, header+"x", payload),
		"payload with trailing JSON":     customerToken(t, key, header, payload+"{}"),
		"payload with trailing text":     customerToken(t, key, header, payload+" x"),
		"payload a list":                 customerToken(t, key, header, "["+payload+"]"),
		"payload null":                   customerToken(t, key, header, "null"),
		"payload text":                   customerToken(t, key, header, `"x"`),
		"payload empty":                  customerToken(t, key, header, ""),
		"payload cut short":              customerToken(t, key, header, cut(payload, 1)),
		"a claim twice":                  customerToken(t, key, header, cut(payload, 1)+`,"jti":"other"}`),
		"a claim twice, once escaped":    customerToken(t, key, header, cut(payload, 1)+`,"\u006ati":"other"}`),
		"a header member twice":          customerToken(t, key, cut(header, 1)+`,"alg":"none"}`, payload),
		"a claim that is not UTF-8":      customerToken(t, key, header, cut(payload, 1)+",\"x\":\"\xff\"}"),
		"a comma too many":               customerToken(t, key, header, cut(payload, 1)+`,}`),
		"a payload nested beyond reason": customerToken(t, key, header, strings.Repeat(`{"a":`, 2000)),
	}
	for name, text := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := Parse(text, issued); !errors.Is(err, ErrMalformed) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestADERSignatureIsToldFromARawOne(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	good := customerToken(t, key, asJSON(t, goodHeader()), asJSON(t, goodPayload()))
	signed := good[:strings.LastIndex(good, ".")]
	sum := sha512.Sum384([]byte(signed))
	der, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	_, err = Parse(signed+"."+base64.RawURLEncoding.EncodeToString(der), issued)
	if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), "DER") {
		t.Errorf("got %v", err)
	}
}
