package decisions

import "time"

// A Decision was made about a connection before it came to its handler.
type Decision interface {
	// DecisionTime returns how long it took.
	DecisionTime() time.Duration
}

// Time returns how long the decisions about a connection took together, and zero if there were none. The variables are those of
// the connection.
func Time(variables map[string]any) (total time.Duration) {
	for _, v := range variables {
		if d, ok := v.(Decision); ok {
			total += d.DecisionTime()
		}
	}
	return total
}
