package desk

import (
	"context"
	"encoding/binary"
	"time"

	"callboard/internal/hook"
	"callboard/internal/stage"
)

// webhook is a hook as this API shows it.
type webhook struct {
	ID             string    `json:"id"`
	Name           string    `json:"name"`
	URL            string    `json:"url"`
	EventNames     []string  `json:"eventNames" doc:"the events it gets, by their event_name; empty means all"`
	StageARNs      []string  `json:"stageArns" doc:"the stages it is told of; empty means all of the account in this region"`
	Disabled       bool      `json:"disabled" doc:"it gets nothing, and goes on where it is when it is enabled"`
	DisabledReason string    `json:"disabledReason,omitempty" doc:"why the server disabled it"`
	Configured     bool      `json:"configured" doc:"it is one of the server's configuration, which alone changes it"`
	CreateTime     time.Time `json:"createTime"`
}

// webhookAndSecret is the answer when there is a new secret.
type webhookAndSecret struct {
	Webhook webhook `json:"webhook"`
	Secret  string  `json:"secret,omitempty" doc:"the new secret, which is shown this once"`
}

// newWebhook is the body of CreateWebhook.
type newWebhook struct {
	Name       string   `json:"name,omitempty" doc:"at most 128 letters, digits, - and _"`
	URL        string   `json:"url" doc:"where events are posted, http or https"`
	EventNames []string `json:"eventNames,omitempty" doc:"only these events, by their event_name"`
	StageARNs  []string `json:"stageArns,omitempty" doc:"only these stages, at most 100"`
	Secret     string   `json:"secret,omitempty" doc:"whsec_ and 24 to 64 bytes in base64; made if absent"`
}

// webhookChange is the body of UpdateWebhook.
type webhookChange struct {
	Name         *string   `json:"name,omitempty"`
	URL          *string   `json:"url,omitempty"`
	EventNames   *[]string `json:"eventNames,omitempty"`
	StageARNs    *[]string `json:"stageArns,omitempty"`
	Disabled     *bool     `json:"disabled,omitempty"`
	Secret       *string   `json:"secret,omitempty" doc:"a new secret; the one before it signs as well until it is retired"`
	RotateSecret bool      `json:"rotateSecret,omitempty" doc:"have a new secret made"`
	RetireSecret bool      `json:"retireSecret,omitempty" doc:"end the older one of two secrets"`
}

// deadLetter is an event that was given up.
type deadLetter struct {
	EventNumber   int64     `json:"eventNumber" doc:"its number in the feed, by which it can be redelivered"`
	EventTime     time.Time `json:"eventTime"`
	EventName     string    `json:"eventName" doc:"as in the eventNames of webhooks"`
	StageARN      string    `json:"stageArn"`
	ParticipantID string    `json:"participantId,omitempty"`
	Attempts      int       `json:"attempts"`
	Reason        string    `json:"reason" doc:"what the last attempt ended with"`
	GivenUpTime   time.Time `json:"givenUpTime"`
}

// redelivery is the body of RedeliverWebhook; one member is there.
type redelivery struct {
	EventNumbers []int64    `json:"eventNumbers,omitempty" doc:"1 to 1000 events by their numbers, which are in the header callboard-event-number"`
	Since        *time.Time `json:"since,omitempty" doc:"all that happened from then on, at most 10000 events"`
	DeadLetters  bool       `json:"deadLetters,omitempty" doc:"all that was given up"`
}

type redelivered struct {
	Events int `json:"events" doc:"how many are going to be delivered once more"`
}

type webhookList struct {
	Webhooks  []webhook `json:"webhooks"`
	NextToken string    `json:"nextToken,omitempty"`
}

type deadLetterList struct {
	DeadLetters []deadLetter `json:"deadLetters"`
	NextToken   string       `json:"nextToken,omitempty"`
}

// paging is the part of an input that asks for a page.
type paging struct {
	MaxResults *int64 `query:"maxResults" min:"1" max:"100" doc:"how many a page has at most; 50 if absent"`
	NextToken  string `query:"nextToken" doc:"what the page before said"`
}

type webhookName struct {
	Webhook string `path:"webhook" doc:"the id of the webhook"`
}

type (
	listWebhooksInput  struct{ paging }
	createWebhookInput struct {
		Body newWebhook `body:""`
	}
	updateWebhookInput struct {
		webhookName
		Body webhookChange `body:""`
	}
	redeliverInput struct {
		webhookName
		Body redelivery `body:""`
	}
	listDeadLettersInput struct {
		webhookName
		paging
	}
)

func webhookRoutes() []route {
	const one = "/webhooks/{webhook}"
	return []route{
		answer("ListWebhooks", "GET", "/webhooks", "List webhooks in order of creation.", (*Desk).listWebhooks),
		answer("CreateWebhook", "POST", "/webhooks", "Make a webhook that gets what happens from now on.", (*Desk).createWebhook),
		answer("GetWebhook", "GET", one, "Read a webhook.", (*Desk).getWebhook),
		answer("UpdateWebhook", "PATCH", one, "Change a webhook, enable it, rotate its secret.", (*Desk).updateWebhook),
		answer("DeleteWebhook", "DELETE", one, "Remove a webhook and its dead letters.", (*Desk).deleteWebhook),
		answer("RedeliverWebhook", "POST", one+"/redeliver", "Have events delivered once more.", (*Desk).redeliver),
		answer("ListDeadLetters", "GET", one+"/deadletters", "List the events that were given up.", (*Desk).listDeadLetters),
	}
}

func (d *Desk) listWebhooks(ctx context.Context, c *call, in *listWebhooksInput) (*webhookList, error) {
	p, err := in.page(c)
	if err != nil {
		return nil, err
	}
	list, next, err := d.o.Hooks.Hooks(ctx, c.Caller, p)
	out := &webhookList{Webhooks: []webhook{}, NextToken: token(c, next)}
	for _, h := range list {
		out.Webhooks = append(out.Webhooks, toWebhook(h))
	}
	return out, err
}

func (d *Desk) createWebhook(ctx context.Context, c *call, in *createWebhookInput) (*webhookAndSecret, error) {
	b := &in.Body
	stages, err := parseARNs(b.StageARNs)
	if err != nil {
		return nil, err
	}
	h, secret, err := d.o.Hooks.Create(ctx, c.Caller, hook.NewHook{Name: b.Name, URL: b.URL, Events: b.EventNames, Stages: stages, Secret: b.Secret})
	return &webhookAndSecret{toWebhook(h), secret}, err
}

func (d *Desk) getWebhook(ctx context.Context, c *call, in *webhookName) (*webhook, error) {
	h, err := d.o.Hooks.Hook(ctx, c.Caller, in.Webhook)
	return new(toWebhook(h)), err
}

func (d *Desk) updateWebhook(ctx context.Context, c *call, in *updateWebhookInput) (*webhookAndSecret, error) {
	b := &in.Body
	ch := hook.Change{Name: b.Name, URL: b.URL, Events: b.EventNames, Disabled: b.Disabled, Secret: b.Secret, Retire: b.RetireSecret}
	if b.StageARNs != nil {
		stages, err := parseARNs(*b.StageARNs)
		if err != nil {
			return nil, err
		}
		ch.Stages = &stages
	}
	switch {
	case b.RotateSecret && b.Secret != nil:
		return nil, invalid("secret names a new one and rotateSecret has one made: only one of them can be there")
	case b.Secret != nil && *b.Secret == "":
		return nil, invalid("secret must not be empty; rotateSecret has one made")
	case b.RotateSecret:
		ch.Secret = new("")
	}
	h, secret, err := d.o.Hooks.Change(ctx, c.Caller, in.Webhook, ch)
	return &webhookAndSecret{toWebhook(h), secret}, err
}

func (d *Desk) deleteWebhook(ctx context.Context, c *call, in *webhookName) (*nothing, error) {
	return nil, d.o.Hooks.Delete(ctx, c.Caller, in.Webhook)
}

func (d *Desk) redeliver(ctx context.Context, c *call, in *redeliverInput) (*redelivered, error) {
	b := &in.Body
	a := hook.Again{Events: b.EventNumbers, Letters: b.DeadLetters}
	given := 0
	if b.Since != nil {
		a.Since = *b.Since
		given++
	}
	if len(b.EventNumbers) > 0 {
		given++
	}
	if b.DeadLetters {
		given++
	}
	if given != 1 || b.Since != nil && b.Since.IsZero() {
		return nil, invalid("One of eventNumbers, since and deadLetters must be there")
	}
	n, err := d.o.Hooks.Redeliver(ctx, c.Caller, in.Webhook, a)
	return &redelivered{n}, err
}

func (d *Desk) listDeadLetters(ctx context.Context, c *call, in *listDeadLettersInput) (*deadLetterList, error) {
	p, err := in.page(c, in.Webhook)
	if err != nil {
		return nil, err
	}
	list, next, err := d.o.Hooks.Letters(ctx, c.Caller, in.Webhook, p)
	out := &deadLetterList{DeadLetters: []deadLetter{}, NextToken: token(c, next, in.Webhook)}
	for _, l := range list {
		out.DeadLetters = append(out.DeadLetters, deadLetter{
			EventNumber: l.Event.No, EventTime: l.Event.At.UTC(), EventName: hook.NameOf(l.Event.Name), StageARN: l.Event.Stage.String(),
			ParticipantID: l.Event.Participant, Attempts: l.Attempts, Reason: l.Reason, GivenUpTime: l.Since.UTC(),
		})
	}
	return out, err
}

func toWebhook(h hook.Hook) webhook {
	w := webhook{
		ID: h.ARN.ID, Name: h.Name, URL: h.URL, EventNames: append([]string{}, h.Events...), StageARNs: []string{},
		Disabled: h.Disabled, DisabledReason: h.Reason, Configured: h.Configured, CreateTime: h.Created.UTC(),
	}
	for _, arn := range h.Stages {
		w.StageARNs = append(w.StageARNs, arn.String())
	}
	return w
}

func parseARNs(texts []string) (list []stage.ARN, err error) {
	for _, text := range texts {
		arn, err := stage.ParseARN(text)
		if err != nil {
			return nil, invalid(err.Error())
		}
		list = append(list, arn)
	}
	return list, nil
}

// page reads the place of a page in the list of a question.
func (p *paging) page(c *call, about ...string) (stage.Page, error) {
	out := stage.Page{Limit: 50}
	if p.MaxResults != nil {
		out.Limit = int(*p.MaxResults)
	}
	if p.NextToken == "" {
		return out, nil
	}
	position, err := c.Unseal(p.NextToken, about...)
	if err != nil {
		return out, err
	}
	if len(position) != 8 {
		return out, invalid("Invalid nextToken")
	}
	out.After = int64(binary.BigEndian.Uint64(position))
	return out, nil
}

// token is where the page after this one begins, "" if there is none.
func token(c *call, next int64, about ...string) string {
	if next == 0 {
		return ""
	}
	return c.Seal(binary.BigEndian.AppendUint64(nil, uint64(next)), about...)
}
