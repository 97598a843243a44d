package sigv4

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	algorithm   = "AWS4-HMAC-SHA256"
	terminator  = "aws4_request"
	dayLayout   = "20060102"
	stampLayout = "20060102T150405Z" // ISO 8601, basic form

	// Bounds of what is looked at before a key is known. SDKs need a tenth.
	maxAuthorization = 8 << 10
	maxSignedHeaders = 64
	maxQueryParams   = 512

	maxLife = 7 * 24 * time.Hour // of a presigned request
)

func stamp(t time.Time) string { return t.UTC().Format(stampLayout) }

// authorization is what a request says about its own signature.
type authorization struct {
	accessKeyID                      string
	day, region, service, terminator string // the scope

	signedHeaders string // lower-case names in order, separated by semicolons
	signature     string
	timestamp     string // as in stampLayout
	at            time.Time

	presigned bool
	life      time.Duration // of a presigned request
	query     []param       // canonical, without the signature
}

// read finds out what r says, in the header or else in the query. Without an error
// all parts are there and have their form.
func (a *authorization) read(r *http.Request) (err error) {
	switch values := r.Header["Authorization"]; {
	case len(values) > 1:
		return incomplete("There must be only one Authorization header.")
	case len(values) == 1 && values[0] != "":
		err = a.readHeader(r, values[0])
	case strings.Contains(r.URL.RawQuery, "X-Amz-"):
		err = a.readQuery(r)
	default:
		return errMissing
	}
	if err != nil {
		return err
	}
	return a.checkSignedHeaders(r)
}

// readHeader reads the header form:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-authentication-methods.html
func (a *authorization) readHeader(r *http.Request, value string) error {
	parts, ok := strings.CutPrefix(value, algorithm+" ")
	if !ok {
		return incomplete("Authorization header requires the algorithm '" + algorithm + "'.")
	}
	if len(value) > maxAuthorization {
		return incomplete("Authorization header is too long.")
	}
	credential, err := a.readParts(parts)
	if err != nil {
		return err
	}
	problems := a.readHeaderDate(r)
	for _, part := range [...]struct{ name, value string }{
		{"Credential", credential}, {"SignedHeaders", a.signedHeaders}, {"Signature", a.signature},
	} {
		if part.value == "" {
			problems = append(problems, "Authorization header requires '"+part.name+"' parameter.")
		}
	}
	if problems == nil {
		problems = a.readCredential(credential)
	}
	if problems != nil {
		return incomplete(problems...)
	}
	if r.URL.RawQuery != "" {
		a.query, err = parseQuery(r.URL.RawQuery)
	}
	return err
}

// readParts reads what follows the algorithm, in any order.
func (a *authorization) readParts(parts string) (credential string, err error) {
	for more := true; more; {
		var part string
		part, parts, more = strings.Cut(parts, ",")
		name, value, _ := strings.Cut(strings.Trim(part, " \t"), "=")
		var field *string
		switch name {
		case "Credential":
			field = &credential
		case "SignedHeaders":
			field = &a.signedHeaders
		case "Signature":
			field = &a.signature
		default:
			return "", incomplete("Authorization header consists of 'Credential', 'SignedHeaders' and 'Signature', each with an equal-sign and a value.")
		}
		if *field != "" {
			return "", incomplete("Authorization header contains '" + name + "' more than once.")
		}
		*field = value
	}
	return credential, nil
}

// readHeaderDate reads X-Amz-Date, or else Date.
func (a *authorization) readHeaderDate(r *http.Request) (problems []string) {
	values, name := r.Header["X-Amz-Date"], "X-Amz-Date"
	if len(values) == 0 {
		values, name = r.Header["Date"], "Date"
	}
	if len(values) == 0 {
		return []string{"Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."}
	}
	if len(values) > 1 {
		return []string{"There must be only one '" + name + "' header."}
	}
	if a.readStamp(values[0]) {
		return nil
	}
	if at, err := http.ParseTime(values[0]); err == nil && name == "Date" {
		a.at, a.timestamp = at.UTC(), stamp(at)
		return nil
	}
	return []string{"'" + name + "' must be a date in ISO 8601 basic format, yyyymmddThhmmssZ."}
}

func (a *authorization) readStamp(s string) bool {
	at, err := time.Parse(stampLayout, s)
	a.at, a.timestamp = at, s
	return err == nil && len(s) == len(stampLayout) // Parse lets fractions pass
}

// readQuery reads the presigned form:
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
func (a *authorization) readQuery(r *http.Request) error {
	query, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return err
	}
	algo, credential := valueOf(query, "X-Amz-Algorithm"), valueOf(query, "X-Amz-Credential")
	date, expires := valueOf(query, "X-Amz-Date"), valueOf(query, "X-Amz-Expires")
	a.signedHeaders, a.signature = valueOf(query, "X-Amz-SignedHeaders"), valueOf(query, "X-Amz-Signature")
	if algo == "" && credential == "" && a.signature == "" {
		return errMissing
	}
	var problems []string
	for _, part := range [...]struct{ name, value string }{
		{"X-Amz-Algorithm", algo}, {"X-Amz-Credential", credential}, {"X-Amz-Date", date},
		{"X-Amz-Expires", expires}, {"X-Amz-SignedHeaders", a.signedHeaders}, {"X-Amz-Signature", a.signature},
	} {
		if part.value == "" {
			problems = append(problems, "The query string requires the parameter '"+part.name+"' once.")
		}
	}
	if problems != nil {
		return incomplete(problems...)
	}
	if algo != algorithm {
		problems = append(problems, "'X-Amz-Algorithm' must be '"+algorithm+"'.")
	}
	if !a.readStamp(date) {
		problems = append(problems, "'X-Amz-Date' must be a date in ISO 8601 basic format, yyyymmddThhmmssZ.")
	}
	seconds, err := strconv.ParseUint(expires, 10, 32)
	a.life = time.Duration(seconds) * time.Second
	if err != nil || a.life == 0 || a.life > maxLife {
		problems = append(problems, "'X-Amz-Expires' must be a number of seconds from 1 to 604800.")
	}
	a.presigned, a.query = true, without(query, "X-Amz-Signature")
	return incomplete(append(problems, a.readCredential(credential)...)...)
}

// readCredential takes the credential apart: key id and scope.
func (a *authorization) readCredential(s string) (problems []string) {
	if strings.Count(s, "/") != 4 || s[0] == '/' {
		return []string{"'Credential' must have five parts separated by slashes: access key id, date, region, service and '" + terminator + "'."}
	}
	a.accessKeyID, s, _ = strings.Cut(s, "/")
	a.day, s, _ = strings.Cut(s, "/")
	a.region, s, _ = strings.Cut(s, "/")
	a.service, a.terminator, _ = strings.Cut(s, "/")
	return nil
}

// checkSignedHeaders wants distinct lower-case names in order, with host and the
// date among them: a signature that covers less could be used elsewhere or later.
func (a *authorization) checkSignedHeaders(r *http.Request) error {
	var host, date bool
	dateName := "x-amz-date"
	if len(r.Header["X-Amz-Date"]) == 0 {
		dateName = "date"
	}
	names, last := a.signedHeaders, ""
	for n, more := 0, true; more; n++ {
		var name string
		name, names, more = strings.Cut(names, ";")
		if !isHeaderName(name) || name <= last || n == maxSignedHeaders {
			return incomplete("'SignedHeaders' must be at most " + strconv.Itoa(maxSignedHeaders) +
				" lower-case header names in alphabetical order, separated by semicolons.")
		}
		host, date, last = host || name == "host", date || name == dateName, name
	}
	var problems []string
	if !host {
		problems = append(problems, "'Host' must be a signed header.")
	}
	if !date && !a.presigned {
		problems = append(problems, "'X-Amz-Date' or 'Date' must be a signed header.")
	}
	return incomplete(problems...)
}

// isHeaderName tells whether s is a token (RFC 9110, section 5.6.2) in lower case.
func isHeaderName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

// sessionToken is the token of temporary credentials, "" if there is none.
func (a *authorization) sessionToken(r *http.Request) string {
	if values := r.Header["X-Amz-Security-Token"]; len(values) > 0 {
		return values[0]
	}
	return valueOf(a.query, "X-Amz-Security-Token")
}
