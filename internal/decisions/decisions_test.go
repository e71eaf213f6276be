package decisions

import (
	"testing"
	"time"
)

type decision time.Duration

func (d decision) DecisionTime() time.Duration { return time.Duration(d) }

func TestTime(t *testing.T) {
	variables := map[string]any{"one": decision(2), "another": decision(3), "a word": "word", "nothing": nil}
	if got := Time(variables); got != 5 {
		t.Errorf("the decisions took %v", got)
	}
	if got := Time(nil); got != 0 {
		t.Errorf("no decision took %v", got)
	}
}
