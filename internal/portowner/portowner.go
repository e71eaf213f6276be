// Package portowner tells which other process listens on a TCP port. A socket with SO_REUSEPORT, which Caddy's all
// have, shares a port with another one of the same user without a word.
package portowner

import (
	"fmt"
	"strconv"
	"strings"
)

// A Process is one that listens on a port.
type Process struct {
	PID  int    // 0 if this process may not know it
	Name string // as the system has it, without path and arguments
}

// String describes the process for an error.
func (p *Process) String() string {
	if p.PID == 0 {
		return "another process"
	}
	name := p.Name
	if strings.ContainsFunc(name, func(r rune) bool { return !strconv.IsPrint(r) }) {
		name = strconv.Quote(name)
	}
	return fmt.Sprintf("the process with PID %d (%s)", p.PID, name)
}
