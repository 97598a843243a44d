package api

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp/syntax"
	"strconv"
	"strings"
)

// generator draws requests from the model: most members keep their constraints,
// some are just outside, some are something else altogether.
type generator struct {
	*model
	*rand.Rand
	pool map[string][]string // ARNs and ids that are there, by shape
	sane bool                // nothing outside the constraints
}

// input draws the members of an input.
func (g *generator) input(operation string) map[string]any {
	g.sane = g.IntN(3) > 0
	members, _ := g.structure(g.Shapes[g.Operations[operation].Input.Shape]).(map[string]any)
	return members
}

// rarely is true once in n times, never in a sane request.
func (g *generator) rarely(n int) bool { return !g.sane && g.IntN(n) == 0 }

func (g *generator) structure(s modelShape) any {
	members := map[string]any{}
	for _, name := range sortedKeys(s.Members) {
		required := contains(s.Required, name)
		if required && g.rarely(15) || !required && g.IntN(2) == 0 {
			if g.IntN(4) == 0 {
				members[name] = nil
			}
			continue
		}
		members[name] = g.value(s.Members[name].Shape)
	}
	if g.rarely(20) {
		members["newMember"] = g.oddity()
	}
	return members
}

func (g *generator) value(name string) any {
	if g.rarely(40) {
		return g.oddity()
	}
	s := g.Shapes[name]
	switch s.Type {
	case "structure":
		return g.structure(s)
	case "list":
		list := make([]any, g.size(s, 3))
		for i := range list {
			list[i] = g.value(s.Member.Shape)
		}
		return list
	case "map":
		members := map[string]any{}
		for range g.size(s, 3) {
			members[g.text(s.Key.Shape)] = g.value(s.Value.Shape)
		}
		return members
	case "boolean":
		return g.IntN(2) == 0
	case "integer":
		return g.number(s)
	case "float":
		if g.IntN(2) == 0 {
			return json.Number(fmt.Sprintf("%.3f", g.Float64()*80-5))
		}
		return g.number(s)
	}
	return g.text(name)
}

// oddity is something of any type.
func (g *generator) oddity() any {
	list := []any{nil, true, "", "\u0000", json.Number("0"), json.Number("-1"), json.Number("1.5"), json.Number("1e2"), json.Number("2147483648"),
		[]any{}, []any{nil}, map[string]any{}, map[string]any{"": nil}, strings.Repeat("é", 300), testStage, json.Number("-0")}
	return list[g.IntN(len(list))]
}

// size draws a length: mostly small, sometimes a limit or one beyond it.
func (g *generator) size(s modelShape, most int) int {
	low, high := 0, most
	if s.Min != nil {
		low = *s.Min
	}
	if s.Max != nil {
		high = *s.Max
	}
	switch {
	case g.rarely(8):
		return max(0, low-1+g.IntN(2)*(high-low+2))
	case g.IntN(12) == 0 && high <= 1100:
		return []int{low, high}[g.IntN(2)]
	}
	return low + g.IntN(min(high-low, most)+1)
}

func (g *generator) number(s modelShape) json.Number {
	low, high := -3, 3
	if s.Min != nil {
		low = *s.Min
	}
	if high = low + 100; s.Max != nil {
		high = *s.Max
	}
	n := low + g.IntN(high-low+1)
	switch {
	case g.rarely(6):
		n = []int{low - 1, high + 1, 1 << 31, -1 << 31, 0}[g.IntN(5)]
	case g.IntN(6) == 0:
		n = []int{low, high}[g.IntN(2)]
	}
	return json.Number(strconv.Itoa(n))
}

// text draws a string of a shape.
func (g *generator) text(name string) string {
	s := g.Shapes[name]
	if known := g.pool[name]; len(known) > 0 && g.IntN(4) > 0 {
		return known[g.IntN(len(known))*g.IntN(2)] // the first one as often as all others
	}
	if len(s.Enum) > 0 {
		value := s.Enum[g.IntN(len(s.Enum))]
		if g.rarely(6) {
			value = []string{strings.ToLower(value), value + " ", "DISABLED", ""}[g.IntN(4)]
		}
		return value
	}
	pattern := s.Pattern
	if better, ok := betterPatterns[name]; ok {
		pattern = better
	}
	if pattern == "" {
		return g.letters(g.size(s, 12))
	}
	return g.bend(s, g.matching(pattern, s))
}

// letters draws n characters that are hard on whoever counts, quotes or trims.
func (g *generator) letters(n int) string {
	alphabet := []rune("abcXYZ019 -_/~\"\\<&>%é日😀\u0000\u2028\u00a0")
	out := make([]rune, n)
	for i := range out {
		out[i] = alphabet[g.IntN(len(alphabet))]
	}
	return string(out)
}

// bend makes a string that matches a little too long or a little wrong.
func (g *generator) bend(s modelShape, text string) string {
	switch {
	case g.rarely(10) && s.Max != nil:
		return text + strings.Repeat("a", max(0, *s.Max+1-len(text)))
	case g.rarely(12):
		return text + []string{"\n", " ", "!", "é", "_", "A"}[g.IntN(6)]
	case g.rarely(5) && text != "":
		i := g.IntN(len(text))
		return text[:i] + []string{"-", "_", " ", ".", "/"}[g.IntN(5)] + text[i+1:]
	case g.rarely(12) && text != "":
		return text[1:]
	}
	return text
}

// matching draws a string that matches a pattern and, if it can, has a length
// that the shape allows.
func (g *generator) matching(pattern string, s modelShape) string {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		panic(err)
	}
	text := ""
	for range 50 {
		var b strings.Builder
		g.draw(&b, tree.Simplify())
		if text = b.String(); (s.Min == nil || len(text) >= *s.Min) && (s.Max == nil || len(text) <= *s.Max) {
			break
		}
	}
	return text
}

func (g *generator) draw(b *strings.Builder, re *syntax.Regexp) {
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		i := 2 * g.IntN(len(re.Rune)/2)
		b.WriteRune(re.Rune[i] + rune(g.IntN(int(min(re.Rune[i+1]-re.Rune[i], 100)+1))))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte("xyz -"[g.IntN(5)])
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest:
		n := map[syntax.Op]int{syntax.OpPlus: 1}[re.Op]
		if re.Op == syntax.OpQuest {
			n = g.IntN(2)
		} else if g.IntN(3) > 0 {
			n += g.IntN(14)
		}
		for range n {
			g.draw(b, re.Sub[0])
		}
	case syntax.OpAlternate:
		g.draw(b, re.Sub[g.IntN(len(re.Sub))])
	default: // a sequence, a group, the empty string, begin or end
		for _, sub := range re.Sub {
			g.draw(b, sub)
		}
	}
}
