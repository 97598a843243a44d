package keyring

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// version is that of the file's form.
const version = 1

// written is a key as it stands in the file.
type written struct {
	ID           string         `json:"accessKeyId"`
	Secret       string         `json:"secretAccessKey,omitempty"`
	SessionToken string         `json:"sessionToken,omitempty"`
	Account      string         `json:"account"`
	Name         string         `json:"name"`
	Policies     []writtenGrant `json:"policies"`
	Created      time.Time      `json:"created,omitzero"`
	Expires      time.Time      `json:"expires,omitzero"`
	Revoked      time.Time      `json:"revoked,omitzero"`
	Successor    string         `json:"successor,omitempty"`
}

// writtenGrant is a policy in the file: the name of a managed one as a string,
// any other as an object with name and document.
type writtenGrant Policy

func (g writtenGrant) MarshalJSON() ([]byte, error) {
	if g.Document == nil {
		return encode(g.Name)
	}
	return encode(struct {
		Name     string          `json:"name"`
		Document json.RawMessage `json:"document"`
	}(g))
}

func (g *writtenGrant) UnmarshalJSON(data []byte) error {
	if data[0] == '"' {
		return json.Unmarshal(data, &g.Name)
	}
	var object struct {
		Name     string          `json:"name"`
		Document json.RawMessage `json:"document"`
	}
	err := strictly(data, &object)
	if err == nil && object.Document == nil {
		err = errors.New("a policy must be the name of a managed policy, or an object with name and document")
	}
	*g = writtenGrant(object)
	return err
}

// format gives the file that holds the keys.
func format(keys []Key) ([]byte, error) {
	file := struct {
		Version int       `json:"version"`
		Keys    []written `json:"keys"`
	}{version, make([]written, 0, len(keys))}
	for _, k := range keys {
		w := written{k.ID, k.Secret, k.SessionToken, k.Account, k.Name, []writtenGrant{}, k.Created.UTC(), k.Expires.UTC(), k.Revoked.UTC(), k.Successor}
		for _, p := range k.Policies {
			w.Policies = append(w.Policies, writtenGrant(p))
		}
		file.Keys = append(file.Keys, w)
	}
	compact, err := encode(file)
	if err != nil {
		return nil, err
	}
	data := lay(compact)
	if len(data) > maxFile {
		return nil, errTooLong
	}
	return data, nil
}

var errTooLong = fmt.Errorf("the file of the keys would have more than %d bytes", maxFile)

// source is a file that is being read.
type source struct {
	path string
	data []byte
}

// fail makes the one sentence that names file, line and reason.
func (s source) fail(offset int, err error) error {
	line := 1 + bytes.Count(s.data[:min(max(offset, 0), len(s.data))], []byte("\n"))
	return fmt.Errorf("%s, line %d: %w", s.path, line, err)
}

// parse reads what format has written, or somebody by hand.
func parse(path string, data []byte) ([]Key, error) {
	s := source{path, data}
	if len(data) > maxFile {
		return nil, s.fail(0, fmt.Errorf("a file of keys has at most %d bytes", maxFile))
	}
	if err := json.Unmarshal(data, new(json.RawMessage)); err != nil {
		at := len(data)
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			at = int(syntax.Offset)
		}
		return nil, s.fail(at, fmt.Errorf("this is not JSON: %w", err))
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, s.fail(0, errors.New("a file of keys is a JSON object with version and keys"))
	}
	var keys []Key
	seen := -1
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, s.fail(int(d.InputOffset()), err)
		}
		switch name {
		case "version":
			err = d.Decode(&seen)
			if err == nil && seen != version {
				err = fmt.Errorf("version is %d, and this callboard knows only %d", seen, version)
			}
		case "keys":
			keys, err = s.keys(d)
			if err != nil {
				return nil, err
			}
		default:
			err = fmt.Errorf("there is no member %q", name)
		}
		if err != nil {
			return nil, s.fail(int(d.InputOffset()), plain(err))
		}
	}
	if seen != version {
		return nil, s.fail(0, fmt.Errorf("the member version is missing, it must be %d", version))
	}
	return keys, nil
}

// keys reads the list of keys.
func (s source) keys(d *json.Decoder) ([]Key, error) {
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return nil, s.fail(int(d.InputOffset()), errors.New("keys must be a list"))
	}
	var keys []Key
	ids := map[string]bool{}
	for d.More() {
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, s.fail(int(d.InputOffset()), plain(err))
		}
		start := int(d.InputOffset()) - len(raw)
		k, err := s.key(raw, start)
		if err != nil {
			return nil, err
		}
		if ids[k.ID] {
			return nil, s.fail(start, fmt.Errorf("%s is there twice", k))
		}
		if len(keys) == maxKeys {
			return nil, s.fail(start, errFull)
		}
		ids[k.ID] = true
		keys = append(keys, k)
	}
	_, err := d.Token()
	return keys, err
}

var errFull = fmt.Errorf("there are at most %d access keys", maxKeys)

// key reads one key that begins at start.
func (s source) key(raw []byte, start int) (Key, error) {
	var w written
	if err := strictly(raw, &w); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			start += int(wrong.Offset)
		}
		return Key{}, s.fail(start, plain(err))
	}
	k := Key{
		ID: w.ID, Secret: w.Secret, SessionToken: w.SessionToken, Account: w.Account, Name: w.Name,
		Created: w.Created, Expires: w.Expires, Revoked: w.Revoked, Successor: w.Successor,
	}
	if k.Successor != "" && !idForm.MatchString(k.Successor) {
		return Key{}, s.fail(start, errors.New("successor must be the accessKeyId of another key"))
	}
	for _, g := range w.Policies {
		k.Policies = append(k.Policies, Policy(g))
	}
	err := k.compile()
	if wrong, ok := errors.AsType[*policyError](err); ok {
		if wrong.policy.Document != nil {
			start += max(bytes.Index(raw, wrong.policy.Document), 0)
		}
		return Key{}, s.fail(start, err)
	}
	if err != nil {
		return Key{}, s.fail(start, err)
	}
	return k, nil
}

// strictly decodes one value and knows no member that v does not have.
func strictly(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something follows the value")
	}
	return nil
}

// plain says an error of encoding/json without the words of Go.
func plain(err error) error {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if wrong.Field == "" {
			return fmt.Errorf("a %s does not belong here", wrong.Value)
		}
		return fmt.Errorf("%s must not be a %s", wrong.Field, wrong.Value)
	}
	return errors.New(strings.TrimPrefix(err.Error(), "json: "))
}
