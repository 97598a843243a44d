package quota

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Row is one line about a profile, for people.
type Row struct {
	Quota      string // as a file names it; "rates: tags" for a rate
	Value      string
	AWS        string // AWS's figure
	Adjustable string // yes, no, or - for what nobody can ask AWS for
	About      string // what it bounds, and what this server does not do about it yet
}

// Table tells all about a profile: first the quotas, then the rates.
func (p Profile) Table() []Row {
	var rows []Row
	for _, f := range figures() {
		rows = append(rows, Row{f.name, f.unit.format(p.limits[f.name]), f.unit.format(f.aws), f.adjusts(), f.about()})
	}
	for _, name := range p.rateNames() {
		rows = append(rows, Row{"rates: " + name, perSecond(p.rates[name]), perSecond(AWS().Rate(name)), "no", aboutRate(name)})
	}
	return append(rows, Row{"burst", plain(p.burst), "-", "-", "seconds' worth of calls that may come at once; AWS tells no figure"})
}

func (f figure) adjusts() string {
	switch {
	case f.state == fixed:
		return "-"
	case f.adjustable:
		return "yes"
	}
	return "no"
}

func (f figure) about() string {
	switch f.state {
	case later:
		return f.bounds + " (not enforced yet)"
	case fixed:
		return f.bounds + " (part of the API, always enforced)"
	}
	return f.bounds
}

// rateNames lists the groups, then the operations that have a rate of their own.
func (p Profile) rateNames() []string {
	groups := []string{groupTokens, groupPublicKeys, groupTags, groupOthers}
	var own []string
	for name := range p.rates {
		if !slices.Contains(groups, name) {
			own = append(own, name)
		}
	}
	slices.Sort(own)
	return append(groups, own...)
}

func aboutRate(name string) string {
	switch name {
	case groupTokens:
		return "CreateParticipantToken"
	case groupPublicKeys:
		return "each of ImportPublicKey, GetPublicKey, ListPublicKeys, DeletePublicKey"
	case groupTags:
		return "each of TagResource, UntagResource, ListTagsForResource"
	case groupOthers:
		return "each other operation"
	}
	return "this operation alone"
}

func perSecond(rate float64) string {
	if rate == 0 {
		return none
	}
	return plain(rate) + "/s"
}

func plain(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// File writes the profile as a file that [Read] makes the same profile of.
func (p Profile) File() string {
	var b strings.Builder
	b.WriteString(`# Quotas of callboard: what each account may have and do in each region. Every
# value but burst may be none. What is not there is as in the base, aws or none.
base: none

`)
	for _, f := range figures() {
		if f.state != fixed {
			fmt.Fprintf(&b, "%-35s # %s; AWS: %s\n", f.name+": "+f.unit.format(p.limits[f.name]), f.about(), f.unit.format(f.aws))
		}
	}
	b.WriteString(`
# Calls per second, for a group of operations or for one by its name. Each
# operation counts by itself. A call too many is answered 429.
rates:
`)
	for _, name := range p.rateNames() {
		value := none
		if r := p.rates[name]; r > 0 {
			value = plain(r)
		}
		fmt.Fprintf(&b, "  %-33s # %s; AWS: %s\n", name+": "+value, aboutRate(name), perSecond(AWS().Rate(name)))
	}
	fmt.Fprintf(&b, "\n# How many seconds' worth of calls may come at once.\nburst: %s\n", plain(p.burst))
	return b.String()
}
