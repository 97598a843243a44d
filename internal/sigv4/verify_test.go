package sigv4

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// signedPost is a signed request as a server receives it, with its body.
func signedPost(t testing.TB, at time.Time) (*http.Request, []byte) {
	t.Helper()
	r := calls[0].request(t)
	Sign(r, []byte(calls[0].body), exampleKey, "eu-central-1", "ivs", at)
	return received(t, r)
}

func presignedGet(t testing.TB, life string) *http.Request {
	t.Helper()
	c := call{method: "GET", target: tagsPath + "?tagKeys=a%20b&tagKeys=b"}
	r, _ := received(t, sdkPresign(t, c.request(t), exampleKey, hashOf(""), life))
	return r
}

// fails checks code and text of an error; want is a part of the text.
func fails(t *testing.T, err error, code, want string) {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("got %v, want %s", err, code)
	}
	if e.Code != code || !strings.Contains(e.Message, want) {
		t.Errorf("got %s: %s\nwant %s: %s", e.Code, e.Message, code, want)
	}
}

func TestAFaultyHeaderIsRefusedWithTheNameOfItsFault(t *testing.T) {
	t.Parallel()
	edit := func(old, new string) func(*http.Request) {
		return func(r *http.Request) {
			changed := strings.Replace(r.Header.Get("Authorization"), old, new, 1)
			if changed == r.Header.Get("Authorization") {
				panic("nothing to replace: " + old)
			}
			r.Header.Set("Authorization", changed)
		}
	}
	signedHeaders := "SignedHeaders=content-type;host;x-amz-date"
	cases := map[string]struct {
		change     func(*http.Request)
		code, want string
	}{
		"no credentials":             {func(r *http.Request) { r.Header.Del("Authorization") }, CodeMissing, "Missing Authentication Token"},
		"empty header":               {func(r *http.Request) { r.Header.Set("Authorization", "") }, CodeMissing, "Missing Authentication Token"},
		"two headers":                {func(r *http.Request) { r.Header.Add("Authorization", "x") }, CodeIncomplete, "only one Authorization"},
		"bearer token":               {func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, CodeIncomplete, "AWS4-HMAC-SHA256"},
		"another algorithm":          {edit("SHA256", "SHA512"), CodeIncomplete, "AWS4-HMAC-SHA256"},
		"only the algorithm":         {func(r *http.Request) { r.Header.Set("Authorization", algorithm) }, CodeIncomplete, "AWS4-HMAC-SHA256"},
		"no credential":              {edit("Credential=", "credential="), CodeIncomplete, "'Credential'"},
		"empty credential":           {edit("AKIDEXAMPLE/20150830/eu-central-1/ivs/aws4_request", ""), CodeIncomplete, "'Credential'"},
		"no signed headers":          {edit(signedHeaders+", ", ""), CodeIncomplete, "'SignedHeaders'"},
		"no signature":               {func(r *http.Request) { cutAfter(r, ", Signature=") }, CodeIncomplete, "'Signature'"},
		"signature twice":            {func(r *http.Request) { r.Header.Set("Authorization", r.Header.Get("Authorization")+",Signature=0") }, CodeIncomplete, "'Signature' more than once"},
		"four credential parts":      {edit("/aws4_request", ""), CodeIncomplete, "five parts"},
		"six credential parts":       {edit("/ivs/", "/ivs/x/"), CodeIncomplete, "five parts"},
		"no key id":                  {edit("AKIDEXAMPLE", ""), CodeIncomplete, "five parts"},
		"host not signed":            {edit(";host", ""), CodeIncomplete, "'Host'"},
		"date not signed":            {edit(";x-amz-date", ""), CodeIncomplete, "'X-Amz-Date'"},
		"other date signed":          {edit(signedHeaders, "SignedHeaders=date;host"), CodeIncomplete, "'X-Amz-Date'"},
		"signed headers unsorted":    {edit(signedHeaders, "SignedHeaders=host;content-type;x-amz-date"), CodeIncomplete, "alphabetical"},
		"signed headers repeated":    {edit(signedHeaders, "SignedHeaders=host;host;x-amz-date"), CodeIncomplete, "alphabetical"},
		"signed headers in capitals": {edit(signedHeaders, "SignedHeaders=Host;x-amz-date"), CodeIncomplete, "lower-case"},
		"signed headers with blanks": {edit(signedHeaders, "SignedHeaders=host;x-amz-date;"), CodeIncomplete, "lower-case"},
		"too many signed headers":    {edit(signedHeaders, "SignedHeaders="+manyNames(65)), CodeIncomplete, "at most 64"},
		"header without end":         {edit("Credential=", "Credential="+strings.Repeat("x", maxAuthorization)), CodeIncomplete, "too long"},
		"no date":                    {func(r *http.Request) { r.Header.Del("X-Amz-Date") }, CodeIncomplete, "'Date' header"},
		"two dates":                  {func(r *http.Request) { r.Header.Add("X-Amz-Date", "x") }, CodeIncomplete, "only one 'X-Amz-Date'"},
		"date in another form":       {func(r *http.Request) { r.Header.Set("X-Amz-Date", "2015-08-30T12:36:00Z") }, CodeIncomplete, "ISO 8601"},
		"date with a fraction":       {func(r *http.Request) { r.Header.Set("X-Amz-Date", "20150830T123600.1Z") }, CodeIncomplete, "ISO 8601"},
		"everything missing":         {func(r *http.Request) { r.Header = http.Header{"Authorization": {algorithm + " Credential="}} }, CodeIncomplete, "'Date' header. Authorization header requires 'Credential' parameter. Authorization header requires 'SignedHeaders' parameter. Authorization header requires 'Signature' parameter."},
		"broken query":               {func(r *http.Request) { r.URL.RawQuery = "a=%zz" }, CodeIncomplete, "query"},
		"query without end":          {func(r *http.Request) { r.URL.RawQuery = strings.Repeat("&", maxQueryParams) }, CodeIncomplete, "too many parameters"},
		"wrong region":               {edit("eu-central-1", "EU_1"), CodeInvalid, "Credential should be scoped to a valid region, not 'EU_1'."},
		"no region":                  {edit("eu-central-1", ""), CodeInvalid, "valid region"},
		"a region too long":          {edit("eu-central-1", strings.Repeat("a", 33)), CodeInvalid, "valid region"},
		"wrong service":              {edit("/ivs/", "/s3/"), CodeInvalid, "Credential should be scoped to correct service: 'ivs'."},
		"wrong terminator":           {edit("aws4_request", "aws5"), CodeInvalid, "valid terminator: 'aws4_request', not 'aws5'."},
		"wrong day":                  {edit("20150830", "20150829"), CodeInvalid, "'20150829' != '20150830', from '20150830T123600Z'."},
		"all of the scope wrong":     {edit("20150830/eu-central-1/ivs", "x/Y/z"), CodeInvalid, "not 'Y'. Credential should be scoped to correct service: 'ivs'. Date in"},
		"unknown key":                {edit("AKIDEXAMPLE", "AKIDEXAMPLF"), CodeUnrecognized, "The security token included in the request is invalid."},
		"signed header not there":    {func(r *http.Request) { r.Header.Del("Content-Type") }, CodeInvalid, "does not match the signature you provided"},
		"signature in capitals":      {func(r *http.Request) { r.Header.Set("Authorization", upperSignature(r.Header.Get("Authorization"))) }, CodeInvalid, "does not match"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, body := signedPost(t, exampleTime)
			c.change(r)
			_, err := verifier(exampleKey, exampleTime).Verify(r, body)
			fails(t, err, c.code, c.want)
		})
	}
}

func cutAfter(r *http.Request, mark string) {
	before, _, _ := strings.Cut(r.Header.Get("Authorization"), mark)
	r.Header.Set("Authorization", before)
}

func upperSignature(value string) string {
	before, after, _ := strings.Cut(value, "Signature=")
	return before + "Signature=" + strings.ToUpper(after)
}

func manyNames(n int) string {
	names := []string{"host", "x-amz-date"}
	for i := range n - 2 {
		names = append(names, fmt.Sprintf("x-%03d", i))
	}
	slices.Sort(names)
	return strings.Join(names, ";")
}

func TestAFaultyPresignedQueryIsRefusedWithTheNameOfItsFault(t *testing.T) {
	t.Parallel()
	set := func(name, value string) func(url.Values) { return func(q url.Values) { q.Set(name, value) } }
	drop := func(name string) func(url.Values) { return func(q url.Values) { q.Del(name) } }
	cases := map[string]struct {
		change     func(url.Values)
		code, want string
	}{
		"nothing of a signature": {func(q url.Values) { q.Del("X-Amz-Signature"); q.Del("X-Amz-Algorithm"); q.Del("X-Amz-Credential") }, CodeMissing, "Missing"},
		"no algorithm":           {drop("X-Amz-Algorithm"), CodeIncomplete, "'X-Amz-Algorithm'"},
		"another algorithm":      {set("X-Amz-Algorithm", "AWS4-ECDSA-P256-SHA256"), CodeIncomplete, "'X-Amz-Algorithm'"},
		"no credential":          {drop("X-Amz-Credential"), CodeIncomplete, "'X-Amz-Credential'"},
		"a broken credential":    {set("X-Amz-Credential", "a/b"), CodeIncomplete, "'Credential'"},
		"no date":                {drop("X-Amz-Date"), CodeIncomplete, "'X-Amz-Date'"},
		"a broken date":          {set("X-Amz-Date", "today"), CodeIncomplete, "'X-Amz-Date'"},
		"no expiry":              {drop("X-Amz-Expires"), CodeIncomplete, "'X-Amz-Expires'"},
		"expiry zero":            {set("X-Amz-Expires", "0"), CodeIncomplete, "604800"},
		"expiry negative":        {set("X-Amz-Expires", "-1"), CodeIncomplete, "604800"},
		"expiry beyond a week":   {set("X-Amz-Expires", "604801"), CodeIncomplete, "604800"},
		"expiry beyond numbers":  {set("X-Amz-Expires", strings.Repeat("9", 30)), CodeIncomplete, "604800"},
		"no signed headers":      {drop("X-Amz-SignedHeaders"), CodeIncomplete, "'X-Amz-SignedHeaders'"},
		"host not signed":        {set("X-Amz-SignedHeaders", "x-amz-date"), CodeIncomplete, "'Host'"},
		"no signature":           {drop("X-Amz-Signature"), CodeIncomplete, "'X-Amz-Signature'"},
		"signature twice":        {func(q url.Values) { q.Add("X-Amz-Signature", "0") }, CodeIncomplete, "'X-Amz-Signature'"},
		"date twice":             {func(q url.Values) { q.Add("X-Amz-Date", "0") }, CodeIncomplete, "'X-Amz-Date'"},
		"wrong day":              {set("X-Amz-Credential", "AKIDEXAMPLE/20150829/eu-central-1/ivs/aws4_request"), CodeInvalid, "Date in Credential scope"},
		"another region":         {set("X-Amz-Credential", "AKIDEXAMPLE/20150830/eu-west-1/ivs/aws4_request"), CodeInvalid, "does not match"},
		"an unknown key":         {set("X-Amz-Credential", "AKID/20150830/eu-central-1/ivs/aws4_request"), CodeUnrecognized, "invalid"},
		"longer life":            {set("X-Amz-Expires", "7200"), CodeInvalid, "does not match"},
		"another parameter":      {set("extra", ""), CodeInvalid, "does not match"},
		"one parameter less":     {drop("tagKeys"), CodeInvalid, "does not match"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := presignedGet(t, "3600")
			query := r.URL.Query()
			c.change(query)
			r.URL.RawQuery = query.Encode()
			_, err := verifier(exampleKey, exampleTime).Verify(r, nil)
			fails(t, err, c.code, c.want)
		})
	}
}

func TestOnlyRegionsOnTheListAreNamedIfThereIsOne(t *testing.T) {
	t.Parallel()
	const refused = "Credential should be scoped to a valid region, not '%s'."
	for _, c := range []struct {
		region  string
		allowed []string
		good    bool
	}{
		{"eu-central-1", nil, true},
		{"eu-central-1", []string{"us-east-1", "eu-central-1"}, true},
		{"eu-central-1", []string{"us-east-1"}, false},
		{"eu-central", []string{"eu-central-1"}, false},
		{strings.Repeat("a", LongestRegion), nil, true},
		{strings.Repeat("a", LongestRegion+1), []string{strings.Repeat("a", LongestRegion+1)}, false},
	} {
		v := verifier(exampleKey, exampleTime)
		v.Regions = c.allowed
		r := calls[0].request(t)
		Sign(r, []byte(calls[0].body), exampleKey, c.region, "ivs", exampleTime)
		r, body := received(t, r)
		identity, err := v.Verify(r, body)
		if !c.good {
			fails(t, v.Glance(r), CodeInvalid, fmt.Sprintf(refused, c.region))
			fails(t, err, CodeInvalid, fmt.Sprintf(refused, c.region))
		} else if err != nil || identity.Region != c.region {
			t.Errorf("%s of %v: %q, %v", c.region, c.allowed, identity.Region, err)
		}
	}
}

func TestTimeIsCheckedToTheSecond(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		after  time.Duration // of our clock after the signature
		window time.Duration
		want   string // "" when it is valid
	}{
		"at once":               {0, 0, ""},
		"at the end":            {5 * time.Minute, 0, ""},
		"within the second":     {5*time.Minute + 999*time.Millisecond, 0, ""},
		"too old":               {5*time.Minute + time.Second, 0, "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T124101Z - 5 min.)"},
		"from the near future":  {-5 * time.Minute, 0, ""},
		"from the far future":   {-5*time.Minute - time.Second, 0, "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T123059Z + 5 min.)"},
		"a window of our own":   {15 * time.Minute, 15 * time.Minute, ""},
		"beyond our own window": {15*time.Minute + time.Second, 15 * time.Minute, "(20150830T125101Z - 15 min.)"},
		"a window of seconds":   {91 * time.Second, 90 * time.Second, "(20150830T123731Z - 90 s.)"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := verifier(exampleKey, exampleTime.Add(c.after))
			v.Window = c.window
			r, body := signedPost(t, exampleTime)
			_, err := v.Verify(r, body)
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			fails(t, err, CodeInvalid, c.want)
		})
	}
}

func TestAPresignedRequestLivesAsLongAsItSays(t *testing.T) {
	t.Parallel()
	cases := []struct {
		life  string
		after time.Duration
		want  string
	}{
		{"3600", time.Hour, ""},
		{"3600", time.Hour + time.Second, "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T133601Z - 60 min.)"},
		{"1", time.Second, ""},
		{"1", 2 * time.Second, "- 1 s.)"},
		{"604800", 7 * 24 * time.Hour, ""},
		{"604800", -5*time.Minute - time.Second, "Signature not yet current"},
	}
	for _, c := range cases {
		_, err := verifier(exampleKey, exampleTime.Add(c.after)).Verify(presignedGet(t, c.life), nil)
		if c.want == "" && err != nil {
			t.Errorf("life %s after %s: %v", c.life, c.after, err)
		}
		if c.want != "" {
			fails(t, err, CodeInvalid, c.want)
		}
	}
}

func TestTheDateHeaderServesWithoutAnAmazonDate(t *testing.T) {
	t.Parallel()
	for _, date := range []string{"Sun, 30 Aug 2015 12:36:00 GMT", "20150830T123600Z"} {
		r, body := signedPost(t, exampleTime)
		r.Header.Del("X-Amz-Date")
		r.Header.Set("Date", date)
		a := &authorization{accessKeyID: exampleKey.AccessKeyID, day: "20150830", region: "eu-central-1", service: "ivs",
			signedHeaders: "date;host", timestamp: stamp(exampleTime)}
		signature, _ := newSigningKey(exampleKey.Secret, a.day, a.region, a.service).sign(r, r.Host, body, a)
		r.Header.Set("Authorization", algorithm+"  Credential=AKIDEXAMPLE/20150830/eu-central-1/ivs/aws4_request,SignedHeaders=date;host,\tSignature="+string(signature[:]))
		if _, err := verifier(exampleKey, exampleTime).Verify(r, body); err != nil {
			t.Errorf("%s: %v", date, err)
		}
	}
}

func TestATemporaryKeyNeedsItsSessionToken(t *testing.T) {
	t.Parallel()
	key := Key{AccessKeyID: "ASIA", Secret: "s", SessionToken: "right"}
	for _, token := range []string{"", "wrong", "right "} {
		sent := key
		sent.SessionToken = token
		r := calls[0].request(t)
		Sign(r, []byte(calls[0].body), sent, "eu-central-1", "ivs", exampleTime)
		_, err := verifier(key, exampleTime).Verify(r, []byte(calls[0].body))
		fails(t, err, CodeUnrecognized, "security token")
	}
}

func TestAKeyIsGoodUntilTheMomentItExpires(t *testing.T) {
	t.Parallel()
	for _, key := range []Key{
		{AccessKeyID: "ASIA", Secret: "s", SessionToken: "right"},
		{AccessKeyID: "AKIA", Secret: "s"},
	} {
		key.Expires = exampleTime.Add(time.Minute)
		r := calls[0].request(t)
		Sign(r, []byte(calls[0].body), key, "eu-central-1", "ivs", exampleTime)
		r, body := received(t, r)
		v := verifier(key, key.Expires.Add(-time.Nanosecond))
		if _, err := v.Verify(r, body); err != nil {
			t.Errorf("%v before it expires: %v", key, err)
		}
		const text = "The security token included in the request is expired"
		v = verifier(key, key.Expires)
		_, err := v.Verify(r, body)
		fails(t, err, CodeExpired, text)
		fails(t, v.Glance(r), CodeExpired, text)
		r.Header.Set("X-Amz-Security-Token", "wrong") // the order of checks: first the expiry
		_, err = v.Verify(r, []byte("another"))
		fails(t, err, CodeExpired, text)
	}
}

func TestALongTermKeyIgnoresASessionToken(t *testing.T) {
	t.Parallel()
	sent := exampleKey
	sent.SessionToken = "whatever"
	r := calls[0].request(t)
	Sign(r, []byte(calls[0].body), sent, "eu-central-1", "ivs", exampleTime)
	if _, err := verifier(exampleKey, exampleTime).Verify(r, []byte(calls[0].body)); err != nil {
		t.Error(err)
	}
}

func TestASignatureForThePublicHostIsGoodBehindAProxy(t *testing.T) {
	t.Parallel()
	r, body := signedPost(t, exampleTime)
	r.Host = "10.0.0.7:9000"
	v := verifier(exampleKey, exampleTime)
	_, err := v.Verify(r, body)
	fails(t, err, CodeInvalid, "does not match")

	v.Host = "localhost:8080"
	if _, err := v.Verify(r, body); err != nil {
		t.Errorf("public host: %v", err)
	}
	direct, body := signedPost(t, exampleTime)
	v.Host = "board.example"
	if _, err := v.Verify(direct, body); err != nil {
		t.Errorf("direct: %v", err)
	}
}

func TestAnyCredentialsStillNeedFormTimeAndScope(t *testing.T) {
	t.Parallel()
	v := &Verifier{Service: "ivs", Now: func() time.Time { return exampleTime }, AnyCredentials: true}
	r, body := signedPost(t, exampleTime)
	r.URL.Path = "/Other"
	id, err := v.Verify(r, body)
	if want := (Identity{"AKIDEXAMPLE", "eu-central-1", exampleTime}); err != nil || id != want {
		t.Errorf("got %+v, %v", id, err)
	}
	v.Service = "s3"
	_, err = v.Verify(r, body)
	fails(t, err, CodeInvalid, "correct service")
	r.Header.Del("Authorization")
	_, err = v.Verify(r, body)
	fails(t, err, CodeMissing, "")
}

func TestNobodyIsKnownWithoutALookup(t *testing.T) {
	t.Parallel()
	r, body := signedPost(t, exampleTime)
	v := &Verifier{Service: "ivs", Now: func() time.Time { return exampleTime }}
	_, err := v.Verify(r, body)
	fails(t, err, CodeUnrecognized, "")
}

func TestNothingSignedMayChange(t *testing.T) {
	t.Parallel()
	c := call{"", "DELETE", tagsPath + "?tagKeys=b&tagKeys=%C3%A9&tagKeys=a%20b", "some body",
		map[string]string{"Content-Type": "application/json", "X-Amz-Meta-A": "some value"}}
	signed := func() *http.Request {
		r := c.request(t)
		Sign(r, []byte(c.body), exampleKey, "eu-central-1", "ivs", exampleTime)
		r, _ = received(t, r)
		return r
	}
	v := verifier(exampleKey, exampleTime)
	if _, err := v.Verify(signed(), []byte(c.body)); err != nil {
		t.Fatal(err)
	}
	// Every part, with each bit of each byte turned once; apply reports whether
	// the change means anything.
	parts := map[string]struct {
		original string
		apply    func(r *http.Request, changed string) (body string, means bool)
	}{
		"method": {"DELETE", func(r *http.Request, changed string) (string, bool) { r.Method = changed; return c.body, true }},
		"path": {tagsPath, func(r *http.Request, changed string) (string, bool) {
			u, err := url.ParseRequestURI("http://x" + changed)
			if err != nil || u.RawQuery != "" {
				return c.body, false // never reaches us as a path
			}
			r.URL.Path, r.URL.RawPath = u.Path, u.RawPath
			return c.body, true
		}},
		"query": {"tagKeys=b&tagKeys=%C3%A9&tagKeys=a%20b", func(r *http.Request, changed string) (string, bool) {
			before, _ := url.ParseQuery(r.URL.RawQuery)
			after, err := url.ParseQuery(changed)
			r.URL.RawQuery = changed
			return c.body, err != nil || !reflect.DeepEqual(before, after)
		}},
		"host":  {"localhost:8080", func(r *http.Request, changed string) (string, bool) { r.Host = changed; return c.body, true }},
		"body":  {c.body, func(_ *http.Request, changed string) (string, bool) { return changed, true }},
		"type":  {"application/json", header("Content-Type", c.body)},
		"meta":  {"some value", header("X-Amz-Meta-A", c.body)},
		"date":  {"20150830T123600Z", header("X-Amz-Date", c.body)},
		"claim": {signed().Header.Get("Authorization"), header("Authorization", c.body)},
	}
	for name, part := range parts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i := range len(part.original) {
				for bit := range 8 {
					changed := []byte(part.original)
					changed[i] ^= 1 << bit
					r := signed()
					body, means := part.apply(r, string(changed))
					if !means {
						continue
					}
					if _, err := v.Verify(r, []byte(body)); err == nil {
						t.Fatalf("%q verified", changed)
					}
				}
			}
		})
	}
}

func header(name, body string) func(*http.Request, string) (string, bool) {
	return func(r *http.Request, changed string) (string, bool) {
		// Space around a value, and how much of it, is not part of its meaning.
		means := strings.Join(strings.Fields(changed), " ") != r.Header.Get(name)
		r.Header.Set(name, changed)
		return body, means
	}
}

func TestAReplacedSecretCountsAtOnce(t *testing.T) {
	t.Parallel()
	key := exampleKey
	v := verifier(key, exampleTime)
	v.Lookup = func(string) (Key, bool) { return key, true }
	r, body := signedPost(t, exampleTime)
	if _, err := v.Verify(r, body); err != nil {
		t.Fatal(err)
	}
	key.Secret = "replaced"
	_, err := v.Verify(r, body)
	fails(t, err, CodeInvalid, "does not match")
	Sign(r, body, key, "eu-central-1", "ivs", exampleTime)
	if _, err := v.Verify(r, body); err != nil {
		t.Error(err)
	}
}

func TestTheKeyCacheIsBoundedAndKeepsOnlyKeysThatWorked(t *testing.T) {
	t.Parallel()
	v := verifier(exampleKey, exampleTime)
	for i := range maxKeys + 50 {
		r := calls[1].request(t)
		Sign(r, nil, exampleKey, fmt.Sprintf("region-%d", i), "ivs", exampleTime)
		if _, err := v.Verify(r, []byte("not the body")); err == nil {
			t.Fatal("verified")
		}
		if i == 0 && len(v.keys.keys) != 0 {
			t.Fatal("a failure filled the cache")
		}
		if _, err := v.Verify(r, nil); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(v.keys.keys); n != maxKeys {
		t.Errorf("%d keys are kept", n)
	}
}

func TestAVerifierServesManyAtOnce(t *testing.T) {
	t.Parallel()
	v := verifier(exampleKey, exampleTime)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 50 {
				c := calls[(i+j)%len(calls)]
				r := c.request(t)
				Sign(r, []byte(c.body), exampleKey, fmt.Sprintf("region-%d", j%5), "ivs", exampleTime)
				if _, err := v.Verify(r, []byte(c.body)); err != nil {
					t.Error(err)
				}
				if _, err := v.Verify(r, []byte("x")); err == nil {
					t.Error("a wrong body was verified")
				}
			}
		})
	}
	all.Wait()
}

func TestErrorsAndLogsShowNoSecret(t *testing.T) {
	t.Parallel()
	key := Key{AccessKeyID: "ASIA", Secret: "hush", SessionToken: "quiet"}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("key", "key", key)
	shown := log.String() + fmt.Sprintf("%v %+v %s", key, key, []Key{key})
	if strings.Contains(shown, "hush") || strings.Contains(shown, "quiet") {
		t.Error(shown)
	}
	r, body := signedPost(t, exampleTime)
	_, signature, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
	for _, at := range []time.Time{exampleTime, exampleTime.Add(time.Hour)} {
		_, err := verifier(Key{AccessKeyID: exampleKey.AccessKeyID, Secret: "other"}, at).Verify(r, body)
		if err == nil || strings.Contains(err.Error(), signature) {
			t.Errorf("got %v", err)
		}
	}
}
