package seed

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"callboard/internal/iam"
	"callboard/internal/keyring"
	"callboard/internal/stage"
	"callboard/internal/token"
)

var (
	accountForm = regexp.MustCompile(`^[0-9]{12}$`)
	regionForm  = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)
	nameForm    = regexp.MustCompile(`^[a-zA-Z0-9-_]{1,128}$`) // as the API has it
	idForm      = regexp.MustCompile(`^[a-zA-Z0-9]{12}$`)
)

const (
	anAccount = "12 digits"
	aRegion   = "a region name such as us-east-1"
	aName     = "1 to 128 letters, digits, - and _"
	anID      = "12 letters and digits"
	aDuration = "minutes, or a duration such as 90m or 12h, from 1 minute to 14 days"
)

// parser reads one file.
type parser struct {
	defaults Defaults
	open     func(name string) ([]byte, error)
	plan     Plan
	things   int            // read so far
	first    map[string]int // the line of what may be there only once
	book     *keyring.Book  // of the access keys so far, for it knows what is right
}

// parse reads a seed. open gives the files that it names.
func parse(text []byte, d Defaults, open func(string) ([]byte, error)) (*Plan, error) {
	top, err := root(text)
	if err != nil || empty(top) {
		return new(Plan), err
	}
	p := &parser{defaults: d, open: open, first: make(map[string]int)}
	if p.book, err = keyring.Open(keyring.Options{}); err != nil {
		return nil, err
	}
	// The defaults are read first, wherever they stand.
	skip := func(*yaml.Node) error { return nil }
	all := members{"stages": skip, "public-keys": skip, "keys": skip}
	p.place(all, &p.defaults.Account, &p.defaults.Region)
	if err := mapping(top, "a seed", all); err != nil {
		return nil, err
	}
	all["account"], all["region"] = skip, skip
	all["stages"] = func(n *yaml.Node) error { return each(n, "stages", p.stage) }
	all["public-keys"] = func(n *yaml.Node) error { return each(n, "public-keys", p.publicKey) }
	all["keys"] = func(n *yaml.Node) error { return each(n, "keys", p.key) }
	if err := mapping(top, "a seed", all); err != nil {
		return nil, err
	}
	return &p.plan, nil
}

// place adds the members that say where something is.
func (p *parser) place(m members, account, region *string) {
	*account, *region = p.defaults.Account, p.defaults.Region
	m["account"] = text(account, "account", accountForm.MatchString, anAccount)
	if among := p.defaults.Regions; len(among) > 0 {
		allowed := "one that requests may name: " + strings.Join(among, ", ")
		m["region"] = text(region, "region", func(v string) bool { return slices.Contains(among, v) }, allowed)
		return
	}
	m["region"] = text(region, "region", regionForm.MatchString, aRegion)
}

// count bounds what a file can ask for, by aliases too.
func (p *parser) count(n *yaml.Node) error {
	if p.things++; p.things > maxThings {
		return wrong(n, "a seed has at most %d stages, tokens and keys", maxThings)
	}
	return nil
}

// once refuses what is there already.
func (p *parser) once(n *yaml.Node, key, what string) error {
	if line, twice := p.first[key]; twice {
		return wrong(n, "%s is there already, in line %d", what, line)
	}
	p.first[key] = n.Line
	return nil
}

func (p *parser) stage(n *yaml.Node) error {
	s := Stage{line: n.Line}
	m := members{
		"id":     text(&s.ID, "id", idForm.MatchString, anID),
		"name":   text(&s.Name, "name", nameForm.MatchString, aName),
		"tags":   pairs(&s.Tags, "tags"),
		"tokens": func(n *yaml.Node) error { return each(n, "tokens", func(n *yaml.Node) error { return p.token(n, &s) }) },
	}
	p.place(m, &s.Account, &s.Region)
	if err := mapping(n, "a stage", m); err != nil {
		return err
	}
	if s.ID == "" && s.Name == "" {
		return wrong(n, "a stage needs a name or an id, to be known by at the next start")
	}
	if err := (stage.NewStage{ID: s.ID, Tags: s.Tags}).Check(); err != nil {
		return wrong(n, "%v", err)
	}
	place := "stage " + s.Account + " " + s.Region
	if s.ID != "" {
		if err := p.once(n, place+" id "+s.ID, "a stage with the id "+s.ID); err != nil {
			return err
		}
	}
	if s.Name != "" {
		if err := p.once(n, place+" name "+s.Name, "a stage with the name "+s.Name+" in this account and region"); err != nil {
			return err
		}
	}
	p.plan.Stages = append(p.plan.Stages, s)
	return p.count(n)
}

func (p *parser) token(n *yaml.Node, s *Stage) error {
	var t Token
	err := mapping(n, "a token", members{
		"name":         text(&t.Name, "name", nameForm.MatchString, aName),
		"userId":       text(&t.UserID, "userId", isUserID, "at most 128 characters"),
		"attributes":   pairs(&t.Attributes, "attributes"),
		"capabilities": func(n *yaml.Node) error { return capabilities(n, &t) },
		"duration":     func(n *yaml.Node) error { return duration(n, &t) },
	})
	if err != nil {
		return err
	}
	if err := t.Check(); err != nil {
		return wrong(n, "%v", err)
	}
	named := func(other Token) bool { return other.Name == t.Name }
	if t.Name != "" && slices.ContainsFunc(s.Tokens, named) {
		return wrong(n, "the stage has a token with the name %s already", t.Name)
	}
	s.Tokens = append(s.Tokens, t)
	return p.count(n)
}

func isUserID(v string) bool { return utf8.RuneCountInString(v) <= 128 }

func capabilities(n *yaml.Node, t *Token) error {
	t.Capabilities = new([]stage.Capability)
	return each(n, "capabilities", func(n *yaml.Node) error {
		c := stage.Capability(n.Value)
		if n.Kind != yaml.ScalarNode || c != stage.Publish && c != stage.Subscribe || len(*t.Capabilities) == 2 {
			return wrong(n, "capabilities has %.50q; it must be a list of PUBLISH and SUBSCRIBE", n.Value)
		}
		*t.Capabilities = append(*t.Capabilities, c)
		return nil
	})
}

func duration(n *yaml.Node, t *Token) error {
	d, err := time.ParseDuration(n.Value)
	if minutes, number := strconv.Atoi(n.Value); number == nil {
		err, d = nil, time.Duration(min(max(minutes, 0), 1<<20))*time.Minute
	}
	if n.Kind != yaml.ScalarNode || err != nil || d < time.Minute || d > stage.MaxTokenDuration || d%time.Minute != 0 {
		return wrong(n, "duration is %.50q; it must be %s", n.Value, aDuration)
	}
	t.Duration = d
	return nil
}

func (p *parser) publicKey(n *yaml.Node) error {
	k := PublicKey{line: n.Line}
	file := ""
	m := members{
		"name": text(&k.Name, "name", nameForm.MatchString, aName),
		"tags": pairs(&k.Tags, "tags"),
		"pem":  secret(&k.Material, "pem"), // no secret, but long
		"file": text(&file, "file", func(v string) bool { return v != "" }, "the path of a PEM file"),
	}
	p.place(m, &k.Account, &k.Region)
	if err := mapping(n, "a public key", m); err != nil {
		return err
	}
	if (k.Material == "") == (file == "") {
		return wrong(n, "a public key needs its pem, or the file that has it")
	}
	if file != "" {
		material, err := p.open(file)
		if err != nil {
			return wrong(n, "the public key cannot be read: %v", err)
		}
		k.Material = string(material)
	}
	var err error
	if _, k.fingerprint, err = token.ParsePublicKey(k.Material); err != nil {
		return wrong(n, "%v", err)
	}
	if err := (stage.NewStage{Tags: k.Tags}).Check(); err != nil {
		return wrong(n, "%v", err)
	}
	if err := p.once(n, "key "+k.Account+" "+k.Region+" "+k.fingerprint, "this public key"); err != nil {
		return err
	}
	p.plan.PublicKeys = append(p.plan.PublicKeys, k)
	return p.count(n)
}

// inOurWords says what the file of the keyring calls otherwise.
var inOurWords = strings.NewReplacer("accessKeyId", "id", "secretAccessKey", "secret")

func (p *parser) key(n *yaml.Node) error {
	k := keyring.Key{Account: p.defaults.Account, Name: keyring.DefaultName}
	err := mapping(n, "an access key", members{
		"id":      text(&k.ID, "id", func(string) bool { return true }, "text"),
		"secret":  secret(&k.Secret, "secret"),
		"account": text(&k.Account, "account", accountForm.MatchString, anAccount),
		"name":    text(&k.Name, "name", func(string) bool { return true }, "text"),
		"policies": func(n *yaml.Node) error {
			return each(n, "policies", func(n *yaml.Node) error { return p.policy(n, &k) })
		},
	})
	if err != nil {
		return err
	}
	if err := p.book.Add(k); err != nil {
		return wrong(n, "%s", inOurWords.Replace(err.Error()))
	}
	p.plan.Keys = append(p.plan.Keys, k)
	return p.count(n)
}

// policy reads the name of a managed policy, or a policy with a document or with
// the file that has it.
func (p *parser) policy(n *yaml.Node, k *keyring.Key) error {
	if n.Kind == yaml.ScalarNode {
		k.Policies = append(k.Policies, keyring.Policy{Name: n.Value})
		return nil
	}
	policy := keyring.Policy{Name: fmt.Sprintf("policy-%d", len(k.Policies)+1)}
	file, line := "", 0
	err := mapping(n, "a policy", members{
		"name": text(&policy.Name, "name", func(v string) bool { return v != "" }, "text"),
		"document": func(n *yaml.Node) (err error) {
			line = n.Line
			policy.Document, err = toJSON(n)
			return err
		},
		"file": text(&file, "file", func(v string) bool { return v != "" }, "the path of a JSON file"),
	})
	if err != nil {
		return err
	}
	if (policy.Document == nil) == (file == "") {
		return wrong(n, "a policy is the name of a managed one, or has a document, or the file that has it")
	}
	if file != "" {
		if policy.Document, err = p.open(file); err != nil {
			return wrong(n, "the policy cannot be read: %v", err)
		}
	} else if _, err := iam.ParseAt(policy.Name, policy.Document, line); err != nil {
		return wrong(n, "%v", err)
	}
	k.Policies = append(k.Policies, policy)
	return nil
}
