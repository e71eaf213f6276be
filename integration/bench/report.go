package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// column is a figure in a scenario's table.
type column struct {
	figure, title, format string
	sum                   summary
}

// summary says how the figures of several rounds become one cell.
type summary int

const (
	median summary = iota
	spread         // the median, and the least and the greatest
	total          // the sum
	ratio          // the median of the ratios to the first balancer in the same round, and the least and the greatest
)

// played is what is kept of one round.
type played struct {
	Scenario string             `json:"scenario"`
	Balancer string             `json:"balancer"`
	Round    int                `json:"round"`
	Figures  map[string]float64 `json:"figures,omitempty"`
	Error    string             `json:"error,omitempty"` // without the balancer's log
}

// cell sums up one figure of one balancer; a figure that it has not is a dash.
func (c column) cell(values []float64) string {
	if len(values) == 0 {
		return "–"
	}
	sorted := slices.Sorted(slices.Values(values))
	show := func(v float64) string { return fmt.Sprintf(c.format, v) }
	switch c.sum {
	case total:
		sum := 0.0
		for _, v := range values {
			sum += v
		}
		return show(sum)
	case spread, ratio:
		return fmt.Sprintf("%s (%s–%s)", show(middle(sorted)), show(sorted[0]), show(sorted[len(sorted)-1]))
	default:
		return show(middle(sorted))
	}
}

// brief tells the first of a round's figures that it has.
func brief(columns []column, figures map[string]float64) string {
	for _, c := range columns {
		if value, ok := figures[c.figure]; ok {
			return fmt.Sprintf("%s "+c.format, c.title, value)
		}
	}
	return "done"
}

// middle returns the median of sorted values.
func middle(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// heading is what a table needs to know of its scenario.
type heading struct {
	name, title, note string
	columns           []column
}

// writeTable writes a scenario's table in Markdown, one line for each balancer that took part. It writes nothing if none did.
func writeTable(w io.Writer, h heading, names []string, rounds []played) {
	head := []string{"balancer"}
	for _, c := range h.columns {
		head = append(head, c.title)
	}
	var lines [][]string
	first := make(map[int]map[string]float64) // the figures of the first balancer by rounds
	for _, name := range names {
		played := roundsOf(h.name, name, rounds)
		if len(lines) == 0 {
			for _, p := range played {
				first[p.Round] = p.Figures
			}
		}
		if line := tableLine(h, name, played, first); line != nil {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(w, "## %s\n\n`%s`: %s\n\n", h.title, h.name, h.note)
	fmt.Fprintf(w, "| %s |\n|---%s|\n", strings.Join(head, " | "), strings.Repeat("|---:", len(h.columns)))
	for _, line := range lines {
		fmt.Fprintf(w, "| %s |\n", strings.Join(line, " | "))
	}
	fmt.Fprintln(w)
}

// roundsOf returns the rounds of a balancer in a scenario.
func roundsOf(scenario, name string, rounds []played) (own []played) {
	for _, p := range rounds {
		if p.Scenario == scenario && p.Balancer == name {
			own = append(own, p)
		}
	}
	return own
}

// tableLine returns the cells of a balancer in a scenario, or nil if it had no part in that. Ratios are to the figures that come first.
func tableLine(h heading, name string, rounds []played, first map[int]map[string]float64) []string {
	if len(rounds) == 0 {
		return nil
	}
	failed := 0
	for _, p := range rounds {
		if p.Error != "" {
			failed++
		}
	}
	if failed > 0 {
		name += fmt.Sprintf(" (%d of %d rounds failed)", failed, len(rounds))
	}
	line := []string{name}
	for _, c := range h.columns {
		var values []float64
		for _, p := range rounds {
			value, ok := p.Figures[c.figure]
			if c.sum == ratio {
				base := first[p.Round][c.figure]
				value, ok = value/base, ok && base > 0
			}
			if ok {
				values = append(values, value)
			}
		}
		line = append(line, c.cell(values))
	}
	return line
}
