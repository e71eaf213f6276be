package integration

import (
	"slices"
	"testing"
	"time"
)

// TestKillsExplainTheLost gives the chaos run's oracle lost clients and kills, and wants to know for whom no kill is
// left. Times are milliseconds.
func TestKillsExplainTheLost(t *testing.T) {
	type there struct {
		from, to int
		end      ending
		silent   bool
	}
	type killed struct {
		at    int
		clean bool
	}
	for _, test := range []struct {
		name        string
		lost        []there
		kills       []killed
		unexplained []int // indexes of lost
	}{
		{"each has one", []there{{5, 25, broken, false}, {8, 12, whole, false}}, []killed{{10, true}, {20, true}}, nil},
		{"the one that only one can have is left to it", []there{{5, 25, whole, false}, {8, 12, broken, false}}, []killed{{10, true}, {20, true}}, nil},
		{"one for two", []there{{5, 25, broken, false}, {8, 12, broken, false}}, []killed{{10, false}}, []int{1}},
		{"none is there", []there{{5, 9, broken, false}}, []killed{{4, false}, {10, false}}, []int{0}},
		{"a reset is no end of stream", []there{{5, 9, whole, false}}, []killed{{7, false}}, []int{0}},
		{"an end of stream may be a reset for the client", []there{{5, 9, broken, false}}, []killed{{7, true}}, nil},
		{"silent clients get another target", []there{{5, 9, whole, true}, {8, 12, broken, true}}, []killed{{7, true}, {10, false}}, []int{0, 1}},
		{"but not late", []there{{5, 1200, whole, true}}, []killed{{1100, true}}, nil},
		{"two steps aside", []there{{1, 20, broken, false}, {1, 40, broken, false}, {1, 10, broken, false}}, []killed{{5, false}, {15, false}, {35, false}}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := &oracle{count: func(string, int) {}}
			for _, k := range test.kills {
				at := time.Duration(k.at) * time.Millisecond
				o.killed(kill{at: at, until: at, clean: k.clean})
			}
			var lost []*clientHalf
			for _, l := range test.lost {
				sent := int64(helloSize)
				if l.silent {
					sent = 0
				}
				lost = append(lost, &clientHalf{connected: true, sent: sent, began: time.Duration(l.from) * time.Millisecond, over: time.Duration(l.to) * time.Millisecond, end: l.end})
			}
			var unexplained []int
			for _, c := range o.unsyncedUnexplained(lost) {
				unexplained = append(unexplained, slices.Index(lost, c))
			}
			if !slices.Equal(unexplained, test.unexplained) {
				t.Errorf("no kill is left for %v, want %v", unexplained, test.unexplained)
			}
		})
	}
}
