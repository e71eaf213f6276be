package target

import (
	"testing"
	"time"
)

// TestReasons tells why a target is down that was deactivated meanwhile, and why it is deactivated that is down.
func TestReasons(t *testing.T) {
	var now time.Duration
	m := NewSet(NewRegistry(func() time.Duration { return now }), Rendezvous, 0, ones(1)).Members()[0]
	m.Checked(false, 0, Rules{Rise: 1, Fall: 1})
	m.ExplainChecks("status 503")
	m.Deactivate(time.Minute)
	m.Explain("refused")
	if c := m.Condition(); c.State != Deactivated || c.Reason != "refused" || c.Until != time.Minute {
		t.Errorf("while it is deactivated: %+v", c)
	}
	now = time.Minute
	if c := m.Condition(); c.State != Deactivated || c.Reason != "status 503" || c.Until != 0 {
		t.Errorf("while its checks fail: %+v", c)
	}
}
