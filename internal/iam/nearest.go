package iam

import (
	"iter"
	"strings"
)

// nearest is the word that somebody who misspelt one probably meant, or "".
func nearest(misspelt string, words iter.Seq[string]) string {
	best, distance := "", 1+min(3, len(misspelt)/3)
	for w := range words {
		d := edits(strings.ToLower(misspelt), strings.ToLower(w))
		if d < distance || d == distance && best != "" && w < best {
			best, distance = w, d
		}
	}
	return best
}

// edits is how many bytes have to be put in, left out or replaced to make b of a
// (Levenshtein).
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
