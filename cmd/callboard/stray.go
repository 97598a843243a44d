package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"callboard/internal/server"
)

// strays are sentences about variables that look like settings and are none. What
// Kubernetes sets for a service of the name callboard is not meant for the server.
func strays(environment []string) []string {
	known := knownVariables()
	var sentences []string
	for _, pair := range environment {
		name, value, _ := strings.Cut(pair, "=")
		if value == "" || !strings.HasPrefix(name, "CALLBOARD_") || slices.Contains(known, name) || ofOthers(name) {
			continue
		}
		text := "the variable " + printable(name) + " is no setting and means nothing"
		if meant := suggestions(name, known); len(meant) > 0 {
			text += "; did you mean " + strings.Join(meant, " or ") + "?"
		}
		sentences = append(sentences, text)
	}
	slices.Sort(sentences)
	return sentences
}

func knownVariables() []string {
	known := []string{configVariable}
	for _, s := range server.Settings() {
		known = append(known, s.Variable())
	}
	return known
}

// suggestions are the words that may have been meant, found as those for a
// misspelt command are.
func suggestions(word string, words []string) []string {
	all := &cobra.Command{SuggestionsMinimumDistance: 2}
	for _, w := range words {
		all.AddCommand(&cobra.Command{Use: w, Run: func(*cobra.Command, []string) {}})
	}
	return all.SuggestionsFor(word)
}

// ofOthers tells whether a variable is that of a service link, or of the tests of
// this project.
func ofOthers(name string) bool {
	rest := strings.TrimPrefix(name, "CALLBOARD_")
	return rest == "PORT" || strings.HasPrefix(rest, "PORT_") || strings.HasPrefix(rest, "SERVICE_") ||
		slices.Contains([]string{"E2E", "SOAK", "STORE_BENCH", "STORE_CRASH"}, rest)
}
