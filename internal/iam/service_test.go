package iam

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestTheActionsAreTheOperationsOfTheModel(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../api/testdata/model.json")
	if err != nil {
		t.Fatal(err)
	}
	var model struct{ Operations map[string]any }
	if err := json.Unmarshal(raw, &model); err != nil {
		t.Fatal(err)
	}
	if want := slices.Sorted(maps.Keys(model.Operations)); len(want) == 0 || !slices.Equal(operationNames("ivs"), want) {
		t.Errorf("the operations are %v, want %v", operationNames("ivs"), want)
	}
}

func TestTheGuideNamesAllActions(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../docs/access.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, service := range services {
		for _, name := range operationNames(service.name) {
			if !strings.Contains(string(guide), "`"+name+"`") {
				t.Errorf("the guide does not mention %s", name)
			}
		}
	}
}
