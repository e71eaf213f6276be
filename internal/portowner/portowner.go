package portowner

import (
	"fmt"
	"strconv"
	"strings"
)

// A Process is a process that listens on a port.
type Process struct {
	PID  int    // 0 if this process may not know it
	Name string // the system's name for it, without path and arguments
}

// String describes the process for an error message.
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
