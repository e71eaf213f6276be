package health

import (
	"fmt"
	"strconv"
	"strings"
)

// Statuses are ranges of HTTP statuses.
type Statuses [][2]int

// ParseStatuses reads statuses and ranges of them that are separated by commas, such as `200-399,401`.
func ParseStatuses(text string) (s Statuses, err error) {
	for part := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err := parseStatus(first)
		if err != nil {
			return nil, err
		}
		to, err := parseStatus(last)
		if err != nil {
			return nil, err
		}
		if from > to {
			return nil, fmt.Errorf("'%s' ends before it begins", part)
		}
		s = append(s, [2]int{from, to})
	}
	return s, nil
}

func parseStatus(text string) (int, error) {
	status, err := strconv.Atoi(text)
	if err != nil || status < 100 || status > 599 || len(text) != 3 {
		return 0, fmt.Errorf("'%s' is not a status from 100 to 599", text)
	}
	return status, nil
}

// Has reports whether a status is one of them.
func (s Statuses) Has(status int) bool {
	for _, r := range s {
		if r[0] <= status && status <= r[1] {
			return true
		}
	}
	return false
}
