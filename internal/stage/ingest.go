package stage

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"strings"
)

// IngestProtocol is what an ingest configuration is meant for.
type IngestProtocol string

// The protocols of ingest.
const (
	IngestRTMP  IngestProtocol = "RTMP"
	IngestRTMPS IngestProtocol = "RTMPS"
)

// IngestState says whether somebody publishes through an ingest configuration.
type IngestState string

// The states of an ingest configuration.
const (
	IngestActive   IngestState = "ACTIVE"
	IngestInactive IngestState = "INACTIVE"
)

// IngestCredential is one of the two streams of redundant ingest.
type IngestCredential struct {
	ParticipantID string
	StreamKey     string
}

// IngestConfiguration lets software that knows a secret stream key publish to
// a stage as one participant.
type IngestConfiguration struct {
	ARN  ARN
	Name string
	Tags map[string]string
	IngestDetail
}

// IngestDetail is what an ingest configuration has beside its name and tags.
type IngestDetail struct {
	Stage         ARN // the zero ARN while it is attached to none: then the key opens nothing
	Protocol      IngestProtocol
	Insecure      bool   // RTMP without TLS is let in
	ParticipantID string // whom subscribers see; never changes
	StreamKey     string // a secret; never changes
	UserID        string
	Attributes    map[string]string
	State         IngestState

	// Redundant has the two streams of redundant ingest, the first one with the
	// stream key above; empty without.
	Redundant []IngestCredential
}

// participants gives the ids of all participants there may be through this
// ingest configuration.
func (i IngestDetail) participants() []string {
	ids := []string{i.ParticipantID}
	for _, credential := range i.Redundant {
		ids = append(ids, credential.ParticipantID)
	}
	return ids
}

// NewIngestConfiguration is what CreateIngestConfiguration may say.
type NewIngestConfiguration struct {
	Name       string
	Tags       map[string]string
	Stage      ARN // zero for none
	UserID     string
	Attributes map[string]string
	Protocol   IngestProtocol
	Insecure   bool
	Redundant  bool
}

// IngestChange is what UpdateIngestConfiguration may say; nil leaves a member
// as it is, the zero ARN detaches from the stage.
type IngestChange struct {
	Stage     *ARN
	Redundant *bool
}

// IngestFilter selects ingest configurations; at most one member is not zero.
type IngestFilter struct {
	Stage ARN
	State IngestState
}

// CreateIngestConfiguration makes an ingest configuration with its own
// participant id and stream key.
func (s *Service) CreateIngestConfiguration(ctx context.Context, c Caller, n NewIngestConfiguration) (IngestConfiguration, error) {
	if err := n.check(); err != nil {
		return IngestConfiguration{}, err
	}
	arn := s.newARN(c, TypeIngestConfiguration)
	detail := IngestDetail{
		Stage:         n.Stage,
		Protocol:      n.Protocol,
		Insecure:      n.Insecure,
		ParticipantID: s.randomID(12),
		StreamKey:     newStreamKey(arn),
		UserID:        n.UserID,
		Attributes:    n.Attributes,
		State:         IngestInactive,
	}
	s.setRedundant(&detail, arn, n.Redundant)
	d := Document{ARN: arn, Name: n.Name, Tags: n.Tags, Links: detail.links(arn)}
	err := s.insert(ctx, c, &d, detail, s.quotas.IngestConfigurations, func(tx Tx) error {
		// The operation declares no not-found, so an unknown stage is bad input.
		return attachable(tx, c, n.Stage, Invalid)
	})
	if err != nil {
		return IngestConfiguration{}, err
	}
	return ingestConfiguration(d)
}

func (n NewIngestConfiguration) check() error {
	if n.Protocol == IngestRTMP && !n.Insecure {
		return fail(Invalid, "RTMP is not encrypted: insecureIngest must be true if ingestProtocol is RTMP")
	}
	return CheckAttributes(n.Attributes)
}

// newStreamKey draws a secret, which never comes from loaded dice.
func newStreamKey(arn ARN) string {
	secrets := &lottery{source: rand.Reader}
	return strings.Join([]string{"rt", arn.Account, arn.Region, arn.ID, secrets.randomID(30)}, "_")
}

// setRedundant makes the credentials of redundant ingest, or takes them away.
// The stream key stays what it is: the first stream's.
func (s *Service) setRedundant(i *IngestDetail, arn ARN, on bool) {
	switch {
	case !on:
		i.Redundant = nil
	case len(i.Redundant) == 0:
		i.Redundant = []IngestCredential{{s.randomID(12), i.StreamKey}, {s.randomID(12), newStreamKey(arn)}}
	}
}

// attachable requires that a stage, if one is given, is there; unknown is how
// the operation at hand must call it when it is not.
func attachable(tx Tx, c Caller, arn ARN, unknown Kind) error {
	if arn == (ARN{}) {
		return nil
	}
	_, err := document(tx, c, arn)
	return asKind(err, NotFound, unknown)
}

// links are what an ingest configuration is found by: its stage, its
// participants and its state. The latter are no resources, but their names
// have the same form.
func (i IngestDetail) links(arn ARN) []ARN {
	list := []ARN{stateLink(arn.Account, arn.Region, i.State)}
	for _, id := range i.participants() {
		list = append(list, participantLink(arn.Account, arn.Region, id))
	}
	if i.Stage != (ARN{}) {
		list = append(list, i.Stage)
	}
	return list
}

func stateLink(account, region string, state IngestState) ARN {
	return ARN{Region: region, Account: account, Type: "ingest-state", ID: string(state)}
}

func participantLink(account, region, id string) ARN {
	return ARN{Region: region, Account: account, Type: "participant", ID: id}
}

func ingestConfiguration(d Document) (IngestConfiguration, error) {
	detail, err := unbody[IngestDetail](d)
	return IngestConfiguration{ARN: d.ARN, Name: d.Name, Tags: d.Tags, IngestDetail: detail}, err
}

// IngestConfiguration reads one ingest configuration, its secrets included.
func (s *Service) IngestConfiguration(ctx context.Context, c Caller, arn ARN) (IngestConfiguration, error) {
	return readOne(ctx, s, c, arn, ingestConfiguration)
}

// IngestConfigurations lists the caller's ingest configurations in order of creation.
func (s *Service) IngestConfigurations(ctx context.Context, c Caller, f IngestFilter, p Page) (list []IngestConfiguration, next int64, err error) {
	link := f.Stage
	if link != (ARN{}) {
		if err := c.reach(link); err != nil {
			return nil, 0, err
		}
	} else if f.State != "" {
		link = stateLink(c.Account, c.Region, f.State)
	}
	return readPage(ctx, s, c, TypeIngestConfiguration, link, p, ingestConfiguration)
}

// UpdateIngestConfiguration changes an ingest configuration through which
// nobody publishes, and gives it back.
func (s *Service) UpdateIngestConfiguration(ctx context.Context, c Caller, arn ARN, ch IngestChange) (changed IngestConfiguration, err error) {
	err = s.store.Update(ctx, func(tx Tx) error {
		d, err := document(tx, c, arn)
		if err != nil {
			return err
		}
		if changed, err = ingestConfiguration(d); err != nil {
			return err
		}
		if changed.State == IngestActive {
			return fail(Conflict, "Ingest configuration %s is ACTIVE: it cannot change while somebody publishes through it", arn)
		}
		if ch.Stage != nil {
			if err := attachable(tx, c, *ch.Stage, NotFound); err != nil {
				return err
			}
			changed.Stage = *ch.Stage
		}
		if ch.Redundant != nil {
			s.setRedundant(&changed.IngestDetail, arn, *ch.Redundant)
		}
		if ch == (IngestChange{}) {
			return nil
		}
		return putIngest(tx, d, changed.IngestDetail)
	})
	return changed, err
}

func putIngest(tx Tx, d Document, detail IngestDetail) (err error) {
	if d.Body, err = json.Marshal(detail); err != nil {
		return err
	}
	d.Links = detail.links(d.ARN)
	return tx.PutDocument(&d)
}

// DeleteIngestConfiguration removes an ingest configuration. If somebody
// publishes through it, that ends with force, and is a conflict without.
func (s *Service) DeleteIngestConfiguration(ctx context.Context, c Caller, arn ARN, force bool) error {
	var gone IngestConfiguration
	err := s.remove(ctx, c, arn, func(_ Tx, d Document) (err error) {
		if gone, err = ingestConfiguration(d); err != nil {
			return err
		}
		if gone.State == IngestActive && !force {
			return fail(Conflict, "Ingest configuration %s is ACTIVE: with force it is deleted all the same", arn)
		}
		return nil
	})
	if err != nil || gone.State != IngestActive {
		return err
	}
	// With the document went the key, so whoever is sent away now stays away.
	return s.sendAway(ctx, gone.Stage, gone.participants(), "the ingest configuration was deleted")
}
