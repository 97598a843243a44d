package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"
)

// rollTable writes the roll call for people. The recording column is there only
// when somebody is or was recorded.
func rollTable(roll []types.ParticipantSummary) string {
	recorded := slices.ContainsFunc(roll, isRecorded)
	rows := [][]string{{"PARTICIPANT", "USER ID", "STATE", "PUBLISHED", "FIRST JOINED"}}
	if recorded {
		rows[0] = append(rows[0], "RECORDING")
	}
	for _, p := range roll {
		row := []string{
			aws.ToString(p.ParticipantId), printable(aws.ToString(p.UserId)), string(p.State),
			yesNo(p.Published), aws.ToTime(p.FirstJoinTime).Local().Format(time.DateTime),
		}
		if recorded {
			row = append(row, string(p.RecordingState))
		}
		rows = append(rows, row)
	}
	return align(rows)
}

func isRecorded(p types.ParticipantSummary) bool {
	return p.RecordingState != "" && p.RecordingState != types.ParticipantRecordingStateDisabled
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// counted spells how many there are of something.
func counted[N int | int64](n N, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// align pads all columns but the last to their widest cell.
func align(rows [][]string) string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], displayWidth(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		line := ""
		for i, cell := range row {
			line += cell + strings.Repeat(" ", widths[i]-displayWidth(cell)+2)
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

// printable replaces what would move the cursor or turn the line around: a user
// id may hold any text, and a terminal obeys some of it.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || r == zeroWidthJoiner {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

const zeroWidthJoiner = '\u200d'

// displayWidth is how many columns of a terminal a text takes.
func displayWidth(s string) int {
	width := 0
	for _, r := range s {
		switch {
		case r == zeroWidthJoiner || unicode.In(r, unicode.Mn, unicode.Me):
		case unicode.Is(wide, r):
			width += 2
		default:
			width++
		}
	}
	return width
}

// wide are the scripts and symbols that take two columns (Unicode TR 11, by block).
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x1100, Hi: 0x115f, Stride: 1}, // Hangul Jamo
		{Lo: 0x2e80, Hi: 0x303e, Stride: 1}, // CJK radicals and punctuation
		{Lo: 0x3041, Hi: 0x33ff, Stride: 1}, // kana, compatibility
		{Lo: 0x3400, Hi: 0x4dbf, Stride: 1},
		{Lo: 0x4e00, Hi: 0x9fff, Stride: 1}, // CJK
		{Lo: 0xa000, Hi: 0xa4cf, Stride: 1}, // Yi
		{Lo: 0xac00, Hi: 0xd7a3, Stride: 1}, // Hangul
		{Lo: 0xf900, Hi: 0xfaff, Stride: 1},
		{Lo: 0xfe30, Hi: 0xfe6f, Stride: 1},
		{Lo: 0xff00, Hi: 0xff60, Stride: 1}, // full width forms
		{Lo: 0xffe0, Hi: 0xffe6, Stride: 1},
	},
	R32: []unicode.Range32{
		{Lo: 0x1f300, Hi: 0x1f64f, Stride: 1}, // pictographs, faces
		{Lo: 0x1f680, Hi: 0x1f6ff, Stride: 1},
		{Lo: 0x1f900, Hi: 0x1f9ff, Stride: 1},
		{Lo: 0x20000, Hi: 0x3fffd, Stride: 1},
	},
}
