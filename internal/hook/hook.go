package hook

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"time"

	"callboard/internal/stage"
)

// Hook is one receiver of the feed.
type Hook struct {
	ARN      stage.ARN // of type webhook
	Name     string
	URL      string
	Events   []string    // the event names it gets; none is all
	Stages   []stage.ARN // the stages it is told of; none is all of its account and region
	Disabled bool        // it gets nothing and its cursor stays
	Reason   string      // why, if the server has disabled it
	Created  time.Time

	// Configured tells that it is one of the server's configuration: it is told
	// of all accounts and regions, and only the configuration changes it.
	Configured bool

	secrets []string // the newest first; each of them signs
	version int64
}

// LogValue gives what may stand in a log: a URL may have a secret in its path.
func (h Hook) LogValue() slog.Value { return slog.StringValue(h.ARN.String()) }

// wants tells whether the hook is to be told of an event.
func (h *Hook) wants(e stage.Event) bool {
	k, told := kindOf(e.Name)
	switch {
	case !told, len(h.Events) > 0 && !slices.Contains(h.Events, k.name):
		return false
	case len(h.Stages) > 0:
		return slices.Contains(h.Stages, e.Stage)
	}
	return h.Configured || e.Stage.Account == h.ARN.Account && e.Stage.Region == h.ARN.Region
}

// NewHook is what can be said when a hook is made.
type NewHook struct {
	Name   string
	URL    string
	Events []string
	Stages []stage.ARN
	Secret string // "" has one made
}

// Change is what can be said of a hook that is there; nil leaves a member as it is.
type Change struct {
	Name     *string
	URL      *string
	Events   *[]string
	Stages   *[]stage.ARN
	Disabled *bool

	// Secret is a new secret, "" has one made. The one before it stays good
	// beside it until it is retired, or until there is another.
	Secret *string
	// Retire ends the older one of two secrets.
	Retire bool
}

const (
	maxStages = 100
	// maxHooks bounds the hooks of an account in a region.
	maxHooks = 100
)

var namePattern = regexp.MustCompile(`^[a-zA-Z0-9_-]{0,128}$`)

// check says what is wrong with a hook, for its owner. g is asked about its address.
func (h *Hook) check(g guard) error {
	if !namePattern.MatchString(h.Name) {
		return refuse(stage.Invalid, "the name must have at most 128 letters, digits, - and _")
	}
	if err := CheckURL(h.URL); err != nil {
		return refuse(stage.Invalid, "%v", err)
	}
	if err := g.checkHost(h.URL); err != nil {
		return refuse(stage.Invalid, "the URL cannot be reached from here: %v", err)
	}
	for i, name := range h.Events {
		if !slices.Contains(Names(), name) {
			return refuse(stage.Invalid, "there is no event %.50q; there are: %s", name, strings.Join(Names(), ", "))
		}
		if slices.Contains(h.Events[:i], name) {
			return refuse(stage.Invalid, "the event %q is named twice", name)
		}
	}
	if len(h.Stages) > maxStages {
		return refuse(stage.Invalid, "a webhook can name %d stages; name none to be told of all", maxStages)
	}
	for _, arn := range h.Stages {
		if arn.Type != stage.TypeStage || arn.Account != h.ARN.Account || arn.Region != h.ARN.Region {
			return refuse(stage.Invalid, "%s is not a stage of account %s in region %s", arn, h.ARN.Account, h.ARN.Region)
		}
	}
	return nil
}

// apply changes a hook.
func (h *Hook) apply(ch Change) error {
	set(&h.Name, ch.Name)
	set(&h.URL, ch.URL)
	set(&h.Events, ch.Events)
	set(&h.Stages, ch.Stages)
	if ch.Disabled != nil {
		h.Disabled, h.Reason = *ch.Disabled, ""
	}
	if ch.Retire {
		h.secrets = h.secrets[:1]
	}
	if ch.Secret == nil {
		return nil
	}
	secret, err := secretOr(*ch.Secret)
	h.secrets = append([]string{secret}, h.secrets[:min(len(h.secrets), maxSecrets-1)]...)
	return err
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// secretOr gives the secret that was named, or makes one.
func secretOr(named string) (string, error) {
	if named == "" {
		return NewSecret(), nil
	}
	if err := CheckSecret(named); err != nil {
		return "", refuse(stage.Invalid, "%v", err)
	}
	return named, nil
}

// hookBody is what a hook's document holds beside its name.
type hookBody struct {
	URL        string
	Events     []string
	Stages     []string
	Secrets    []string
	Disabled   bool
	Reason     string
	Configured bool
}

func (h *Hook) document() (stage.Document, error) {
	b := hookBody{URL: h.URL, Events: h.Events, Secrets: h.secrets, Disabled: h.Disabled, Reason: h.Reason, Configured: h.Configured}
	for _, arn := range h.Stages {
		b.Stages = append(b.Stages, arn.String())
	}
	body, err := json.Marshal(b)
	return stage.Document{ARN: h.ARN, Name: h.Name, Body: body}, err
}

func hookOf(d stage.Document) (Hook, error) {
	var b hookBody
	if err := json.Unmarshal(d.Body, &b); err != nil {
		return Hook{}, fmt.Errorf("stored webhook %s: %w", d.ARN, err)
	}
	h := Hook{
		ARN: d.ARN, Name: d.Name, URL: b.URL, Events: b.Events, Disabled: b.Disabled, Reason: b.Reason,
		Created: d.Created, Configured: b.Configured, secrets: b.Secrets, version: d.Version,
	}
	for _, text := range b.Stages {
		arn, err := stage.ParseARN(text)
		if err != nil {
			return Hook{}, fmt.Errorf("stored webhook %s: %w", d.ARN, err)
		}
		h.Stages = append(h.Stages, arn)
	}
	return h, nil
}

func refuse(k stage.Kind, format string, args ...any) error {
	return &stage.Error{Kind: k, Message: fmt.Sprintf(format, args...)}
}
