package flow

import (
	"slices"
	"testing"
	"time"
)

var someLimits = []Limits{
	{},
	{Idle: 4 * second},
	{HalfClose: second},
	{Idle: second, HalfClose: 4 * second},
	{Idle: 4 * second, HalfClose: second},
	{Redispatch: 3 * second},
	{Idle: 4 * second, Redispatch: 2 * second},
	{MaxAge: 4 * second},
	{Idle: 4 * second, HalfClose: second, Redispatch: 3 * second, MaxAge: 5 * second},
}

// TestEveryOrder goes through every order of events up to a depth. What must hold is in model.
func TestEveryOrder(t *testing.T) {
	depth := 4
	if testing.Short() {
		depth = 3
	}
	orders := 0
	for _, limits := range someLimits {
		var explore func(path []int)
		explore = func(path []int) {
			orders++
			m := run(t, limits, path)
			m.mustEnd(limits)
			if len(path) == depth {
				return
			}
			for i := range steps {
				explore(append(slices.Clone(path), i))
			}
		}
		explore(nil)
	}
	t.Logf("%d orders", orders)
}

// mustEnd lets time pass for peers that say nothing more, and take nothing: a connection that lingers or was severed ends,
// and so does a silent one if there is a limit.
func (m *model) mustEnd(limits Limits) {
	if !m.closed {
		m.settle()
	}
	m.path = append(m.path, "silence")
	state, began := m.flow.State(), m.now
	for range 1000 {
		if m.closed || m.flow.Due() == Never {
			break
		}
		m.tick(m.unread + 1)
	}
	limit, age := limits.limit(state), limits.MaxAge
	if state == Lingering || state == Severed {
		limit, age = maxLinger+linger, 0
	}
	switch {
	case m.closed != (limit > 0 || age > 0 || state == Over):
		m.fail("the connection in state %v is over: %v", state, m.closed)
	case age > 0 && m.now-m.began > age+age/10:
		m.fail("it took %v until the connection was over, it may be %v old", m.now-m.began, age)
	case limit > 0 && m.now-began > limit+limit/idleLooks+longestSeverPause:
		m.fail("it took %v until the connection was over, the limit is %v", m.now-began, limit)
	}
}

// FuzzFlow takes longer orders at random.
func FuzzFlow(f *testing.F) {
	f.Add(uint8(0), []byte{0, 1})
	f.Add(uint8(1), []byte{3, 2, 7, 9, 10, 8})
	f.Add(uint8(4), []byte{1, 5, 10, 10, 9, 3, 0})
	f.Add(uint8(5), []byte{6, 1, 9, 6, 2, 10, 5, 7})
	f.Add(uint8(6), []byte{6, 3, 2, 9, 11, 11, 1, 9, 0})
	f.Fuzz(func(t *testing.T, limits uint8, bytes []byte) {
		var path []int
		for _, b := range bytes {
			path = append(path, int(b)%len(steps))
		}
		l := someLimits[int(limits)%len(someLimits)]
		run(t, l, path).mustEnd(l)
	})
}

// TestTable tells of each entry of the table in doc.go that the code has the same one.
func TestTable(t *testing.T) {
	for _, test := range []struct {
		before State
		event  event
		after  State
	}{
		{Open, clientEnded, ClientEnded},
		{Open, targetEnded, TargetEnded},
		{Open, targetCut, Severed},
		{Open, targetFailed, LastWords},
		{Open, clientFailed, Over},
		{ClientEnded, targetEnded, Over},
		{ClientEnded, targetCut, Severed},
		{ClientEnded, targetFailed, LastWordsEnded},
		{ClientEnded, clientFailed, Over},
		{TargetEnded, clientEnded, Over},
		{TargetEnded, targetFailed, Lingering},
		{TargetEnded, clientFailed, Over},
		{LastWords, clientEnded, LastWordsEnded},
		{LastWords, targetEnded, Lingering},
		{LastWords, targetCut, Severed},
		{LastWords, clientFailed, Over},
		{LastWordsEnded, targetEnded, Over},
		{LastWordsEnded, targetCut, Severed},
		{LastWordsEnded, clientFailed, Over},
		{Lingering, clientEnded, Over},
		{Lingering, clientFailed, Over},
		{Severed, clientFailed, Over},
	} {
		if got := table[test.before][test.event].next; got != test.after {
			t.Errorf("state %d after event %d is %d, want %d", test.before, test.event, got, test.after)
		}
	}
	for _, test := range []struct {
		before State
		event  event
		after  State
	}{
		{Open, targetEnded, SeekingEnded},
		{Open, targetCut, SeekingCut},
		{LastWords, targetCut, SeekingCut},
	} {
		if got := redispatches[test.before][test.event].next; got != test.after {
			t.Errorf("fresh state %d after event %d is %d, want %d", test.before, test.event, got, test.after)
		}
	}
}

// TestFresh leaves a target only for what it did before anything else, and soon.
func TestFresh(t *testing.T) {
	for name, test := range map[string]struct {
		limit  time.Duration
		events func(f *Flow) Action
		want   Action
	}{
		"it ends":                        {second, func(f *Flow) Action { return f.Ended(Target, 1) }, Redispatch},
		"it cuts":                        {second, func(f *Flow) Action { return f.TargetCut(1) }, BlameTarget | Redispatch},
		"it has got a header":            {second, func(f *Flow) Action { f.Moved(Client, 9, 0); return f.Ended(Target, 1) }, Redispatch},
		"it could not get the header":    {second, func(f *Flow) Action { f.Failed(Target, 0); return f.TargetCut(1) }, Redispatch},
		"it ends late":                   {second, func(f *Flow) Action { return f.Ended(Target, second) }, ShutClient},
		"it never is left":               {0, func(f *Flow) Action { return f.Ended(Target, 1) }, ShutClient},
		"it has sent a byte":             {second, func(f *Flow) Action { f.Moved(Target, 1, 0); return f.Ended(Target, 1) }, ShutClient},
		"a byte was taken":               {second, func(f *Flow) Action { f.Bind(); return f.Ended(Target, 1) }, ShutClient},
		"the client has ended":           {second, func(f *Flow) Action { f.Ended(Client, 0); return f.Ended(Target, 1) }, ShutClient | Close},
		"what the client said is gone":   {second, func(f *Flow) Action { f.Failed(Target, 0); f.Talked(); return f.TargetCut(1) }, 0},
		"another one was sought in vain": {second, func(f *Flow) Action { f.Ended(Target, 0); f.Settle(nil, 0); return f.Ended(Target, 1) }, 0},
		"it is the second one": {second, func(f *Flow) Action {
			f.Ended(Target, 0)
			f.Begin(nil, 2*second)
			return f.Ended(Target, 2*second+1)
		}, Redispatch},
	} {
		f := New(&Limits{Redispatch: test.limit})
		f.Begin(nil, 0)
		if got := test.events(&f); got != test.want {
			t.Errorf("%s: %b, want %b", name, got, test.want)
		}
	}
}

// TestSlowReaderIsNotIdle takes one byte at a time of what was sent before.
func TestSlowReaderIsNotIdle(t *testing.T) {
	limits := Limits{Idle: 4 * second}
	m := newModel(t, limits)
	for m.unread = 100; m.unread > 1; {
		if m.tick(m.unread - 1); m.closed {
			t.Fatalf("it is cut with %d bytes to read", m.unread)
		}
	}
	stopped := m.now
	for !m.closed {
		m.tick(m.unread)
	}
	if took := m.now - stopped; took > limits.Idle+limits.Idle/idleLooks {
		t.Errorf("it is cut %v after it has stopped", took)
	}
}

// TestSeveredClient is reset when it has read all and is silent, and not earlier.
func TestSeveredClient(t *testing.T) {
	m := newModel(t, Limits{})
	m.unread = 1
	steps[slices.IndexFunc(steps, func(s step) bool { return s.name == "target cut" })].do(m)
	for range 5 {
		if m.tick(1); m.closed {
			t.Fatal("it is reset with a byte to read")
		}
	}
	m.flow.Talked()
	if m.tick(0); m.closed && m.now < maxTalk {
		t.Fatal("it is reset while it talks")
	}
	for !m.closed {
		m.tick(0)
	}
	if m.now > second {
		t.Errorf("it is reset after %v", m.now)
	}
}

// TestCounters counts bytes of several connections while they are open.
func TestCounters(t *testing.T) {
	var counters Counters
	for i := range 3 {
		f := New(new(Limits))
		f.Moved(Client, i, 0) // the first bytes
		f.Begin(&counters, 0)
		f.Moved(Client, 1, 0)
		f.Moved(Target, 10, 0)
	}
	if up, down := counters.Bytes(Client), counters.Bytes(Target); up != 6 || down != 30 {
		t.Errorf("%d bytes up and %d down, want 6 and 30", up, down)
	}
}

// A connection is unserved if its target went first and never sent a byte.
func TestUnserved(t *testing.T) {
	for name, test := range map[string]struct {
		events func(f *Flow)
		want   bool
	}{
		"the target ends":                       {func(f *Flow) { f.Ended(Target, 1) }, true},
		"the target fails":                      {func(f *Flow) { f.Failed(Target, 1); f.TargetCut(2) }, true},
		"the target is cut":                     {func(f *Flow) { f.TargetCut(1) }, true},
		"the client ends first":                 {func(f *Flow) { f.Ended(Client, 1); f.Ended(Target, 2) }, false},
		"the client fails":                      {func(f *Flow) { f.Failed(Client, 1) }, false},
		"it is silent for too long":             {func(f *Flow) { f.Cut() }, false},
		"it sent something":                     {func(f *Flow) { f.Moved(Target, 1, 1); f.Ended(Target, 2) }, false},
		"it took something":                     {func(f *Flow) { f.Moved(Client, 1, 1); f.Ended(Target, 2) }, true},
		"its last words come after the failure": {func(f *Flow) { f.Failed(Target, 1); f.Moved(Target, 1, 2); f.Ended(Target, 3) }, false},
	} {
		f := New(new(Limits))
		f.Begin(nil, 0)
		test.events(&f)
		if got := f.Unserved(); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// The end of a connection is what the flow did itself, or else the side that went first.
func TestEnd(t *testing.T) {
	for name, test := range map[string]struct {
		events func(f *Flow)
		want   End
	}{
		"nothing has happened":                  {func(*Flow) {}, NoEnd},
		"the client ends first":                 {func(f *Flow) { f.Ended(Client, 1); f.Ended(Target, 2) }, ClientFirst},
		"the client ends, the target is cut":    {func(f *Flow) { f.Ended(Client, 1); f.TargetCut(2) }, ClientFirst},
		"the target ends first":                 {func(f *Flow) { f.Ended(Target, 1); f.Ended(Client, 2) }, TargetFirst},
		"the client fails":                      {func(f *Flow) { f.Failed(Client, 1) }, ClientFirst},
		"the target fails":                      {func(f *Flow) { f.Failed(Target, 1); f.TargetCut(2); f.Tick(f.Due(), peers{}) }, TargetFirst},
		"it is silent":                          {func(f *Flow) { silence(f) }, IdleEnd},
		"it is silent after the client's end":   {func(f *Flow) { f.Ended(Client, 1); silence(f) }, HalfCloseEnd},
		"it is old":                             {func(f *Flow) { f.Moved(Client, 1, 950); f.Tick(f.Due(), peers{}); silence(f) }, AgeEnd},
		"it is cut":                             {func(f *Flow) { f.Cut() }, CutEnd},
		"it is cut after the target's end":      {func(f *Flow) { f.Ended(Target, 1); f.Cut() }, CutEnd},
		"it is cut when it is over":             {func(f *Flow) { f.Ended(Client, 1); f.Ended(Target, 2); f.Cut() }, ClientFirst},
		"a direction can't end without another": {func(f *Flow) { f.Ended(Client, 1); f.Stop() }, ClientFirst},
	} {
		f := New(&Limits{Idle: 100, HalfClose: 10, MaxAge: 1000})
		f.Begin(nil, 0)
		test.events(&f)
		if got := f.End(); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// silence lets time go by until the flow is over.
func silence(f *Flow) {
	for f.State() != Over {
		f.Tick(f.Due(), peers{})
	}
}

// peers have acknowledged all.
type peers struct{}

func (peers) Unacknowledged(Side) int { return 0 }

// Connections that begin one after the other, at whatever pace, end at times that are spread evenly over a fifth of their age.
func TestAgesAreSpread(t *testing.T) {
	const n, parts, age = 10_000, 10, time.Hour
	for _, pause := range []time.Duration{1, time.Microsecond, 1_234_567, time.Millisecond, time.Second} {
		var counts [parts]int
		for i := range n {
			f := New(&Limits{MaxAge: age})
			began := time.Duration(i) * pause
			f.Begin(nil, began)
			early := f.Due() - began - (age - age/10)
			if early < 0 || early >= age/5 {
				t.Fatalf("a connection may be %v old, want %v", f.Due()-began, age)
			}
			counts[early/(age/5/parts)]++
		}
		for _, count := range counts {
			if count < n/parts*3/4 || count > n/parts*5/4 {
				t.Errorf("with %v between them the ends are spread as %v", pause, counts)
				break
			}
		}
	}
}
