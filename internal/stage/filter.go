package stage

import "strings"

// Filter tells which participants of a session are meant: those who meet every
// condition that is set. The zero Filter means all.
type Filter struct {
	Connected  *bool
	Published  *bool // ever, in this session
	UserID     *string
	UserPrefix string            // of the user id
	Attributes map[string]string // each must be there with this value
	Protocol   Protocol          // "" is any
}

// Detailed tells whether the filter asks for what only [Detail] has.
func (f *Filter) Detailed() bool { return len(f.Attributes) > 0 || f.Protocol != "" }

// Match tells whether the filter means a participant, who must have a Detail if
// the filter is Detailed.
func (f *Filter) Match(p *Participant) bool {
	switch {
	case f.Connected != nil && *f.Connected != p.Connected,
		f.Published != nil && *f.Published != p.Published,
		f.UserID != nil && *f.UserID != p.UserID,
		!strings.HasPrefix(p.UserID, f.UserPrefix),
		f.Protocol != "" && f.Protocol != p.Detail.Protocol:
		return false
	}
	for key, value := range f.Attributes {
		if has, ok := p.Detail.Attributes[key]; !ok || has != value {
			return false
		}
	}
	return true
}
