package desk

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"callboard/internal/stage"
)

// filter is the part of an input that tells which participants are meant; all
// conditions must be met.
type filter struct {
	State        *string           `query:"state" enum:"CONNECTED,DISCONNECTED" doc:"only those who are connected now, or only those who are not"`
	Published    *bool             `query:"published" doc:"only those who have published in this session, or only those who never did"`
	UserID       *string           `query:"userId" max:"128" doc:"only those with exactly this user id; empty means those without one"`
	UserIDPrefix string            `query:"userIdPrefix" max:"128" doc:"only those whose user id begins like this"`
	Attributes   map[string]string `query:"attribute.*" doc:"only those whose attribute of this key has this value, as in attribute.role=host"`
	Protocol     string            `query:"protocol" enum:"UNKNOWN,WHIP" doc:"only those who publish in this way; UNKNOWN means those who never did"`
}

// meaning is the filter as the domain has it.
func (f *filter) meaning() stage.Filter {
	m := stage.Filter{
		Published: f.Published, UserID: f.UserID, UserPrefix: f.UserIDPrefix,
		Attributes: f.Attributes, Protocol: stage.Protocol(f.Protocol),
	}
	if f.State != nil {
		m.Connected = new(*f.State == "CONNECTED")
	}
	return m
}

// text is the filter in one spelling, by which cursors and page tokens know that it
// is still the same.
func (f *filter) text() string {
	var parts []string
	add := func(name, value string) { parts = append(parts, strconv.Quote(name)+"="+strconv.Quote(value)) }
	if f.State != nil {
		add("state", *f.State)
	}
	if f.Published != nil {
		add("published", strconv.FormatBool(*f.Published))
	}
	if f.UserID != nil {
		add("userId", *f.UserID)
	}
	if f.UserIDPrefix != "" {
		add("userIdPrefix", f.UserIDPrefix)
	}
	if f.Protocol != "" {
		add("protocol", f.Protocol)
	}
	for key, value := range f.Attributes {
		add("attribute."+key, value)
	}
	slices.SortFunc(parts, cmp.Compare[string])
	return strings.Join(parts, "&")
}
