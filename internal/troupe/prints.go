package troupe

import (
	"encoding/json"
	"slices"

	"callboard/internal/stage"
)

// prints are what others get to see of the settings: enough to tell whether two
// are the same, and nothing of what they are.
func (t *Troupe) prints() string {
	prints := make(map[string]string, len(t.Settings))
	for name, value := range t.Settings {
		prints[name] = t.seal.mac("setting", name, value)[:12]
	}
	text, err := json.Marshal(prints)
	if err != nil {
		return "" // a map of texts has a form
	}
	return string(text)
}

// compare warns of settings that another process has otherwise.
func (t *Troupe) compare(p stage.Process) {
	if differ := differing(t.prints(), p.Settings); len(differ) > 0 {
		t.Log.Warn("another server has other settings, which must be the same on all", "process", p.ID, "peer_url", p.URL, "settings", differ)
	}
}

// differing names the settings that two have, but not the same.
func differing(ours, theirs string) []string {
	var a, b map[string]string
	if json.Unmarshal([]byte(ours), &a) != nil || json.Unmarshal([]byte(theirs), &b) != nil {
		return nil
	}
	var names []string
	for name, value := range a {
		if other, known := b[name]; known && other != value {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
