package share

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/stores"
)

// Set has the other nodes know what an operator has set for a target. If the store fails, it is told when it works again.
func (s *Sharer) Set(target, setting string) {
	k := &s.known
	k.Lock()
	k.settings[target] = setting
	k.unsent[target] = true
	k.Unlock()
	signal(s.retry)
}

// Know has the store know what was set for a target before it was used, if it has nothing for the target.
func (s *Sharer) Know(target, setting string) {
	s.known.Lock()
	defer s.known.Unlock()
	s.known.settings[target] = setting
}

// Nodes returns the nodes that the store knew of when this one met them last, itself among them, in the order of their IDs.
func (s *Sharer) Nodes() []stores.Node {
	k := &s.known
	k.Lock()
	defer k.Unlock()
	nodes := slices.Clone(k.nodes)
	for i := range nodes {
		nodes[i].Seen += time.Since(k.met)
	}
	return nodes
}

// keepMeeting says again and again that the node is there. Met receives what became of the first time.
func (s *Sharer) keepMeeting(met chan<- error) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	<-pause.C
	for first := true; first || s.ctx.Err() == nil; first = false {
		err := errPanic
		safely.Do("session store", func() { err = s.meet(first) })
		if first {
			met <- err
			close(met)
		}
		pause.Reset(MeetInterval)
		if err != nil {
			pause.Reset(retryInterval)
		}
		select {
		case <-s.ctx.Done():
			return
		case <-s.retry:
			if err != nil || !s.working.Load() { // a store that meets nodes but does nothing else is not met at the rate of what fails
				pause.Reset(retryInterval)
				select {
				case <-s.ctx.Done():
					return
				case <-pause.C:
				}
			}
		case <-pause.C:
		}
	}
}

// meet says that the node is there, and learns what the others have set.
func (s *Sharer) meet(first bool) error {
	var m stores.Meeting
	began := time.Now()
	err := s.call(func(ctx context.Context, store stores.Store) (err error) {
		m, err = store.Meet(ctx, s.pool, stores.Node{ID: s.node, Host: s.host, Connections: s.local.Connections(), Interval: MeetInterval})
		return err
	})
	if err != nil {
		s.fail(err)
		return err
	}
	slices.SortFunc(m.Nodes, func(a, b stores.Node) int { return strings.Compare(a.ID, b.ID) })
	fresh, missing, within := s.learn(m, began)
	works := s.working.CompareAndSwap(false, true)
	if works && !first {
		s.local.Failed(nil)
	}
	if works && s.behind.Swap(false) || fresh {
		s.tellAll()
	}
	for target, setting := range m.Settings {
		s.heard(target, setting, within)
	}
	return s.send(missing)
}

// tellAll has the store told of all sessions.
func (s *Sharer) tellAll() {
	s.pending.Lock()
	s.pending.lost = true
	s.pending.Unlock()
}

// learn takes what a meeting tells that began at some time. Fresh means that the store may have lost what it was told, missing are the settings
// that it lacks, and within is the time since the meeting before, or 0.
func (s *Sharer) learn(m stores.Meeting, began time.Time) (fresh bool, missing map[string]string, within time.Duration) {
	k := &s.known
	k.Lock()
	defer k.Unlock()
	fresh = m.Generation != k.generation
	k.nodes, k.met, k.generation = m.Nodes, time.Now(), m.Generation
	if !k.asked.IsZero() {
		within = time.Since(k.asked)
	}
	k.asked = began
	missing = make(map[string]string)
	for target, setting := range k.settings {
		if _, present := m.Settings[target]; !present || k.unsent[target] {
			missing[target] = setting
		}
	}
	return fresh, missing, within
}

// heard takes what was set for a target at another node, unless it was set here since.
func (s *Sharer) heard(target, setting string, within time.Duration) {
	k := &s.known
	k.Lock()
	newer := k.unsent[target]
	if !newer {
		k.settings[target] = setting
	}
	k.Unlock()
	if !newer {
		s.local.Setting(target, setting, within)
	}
}

// send tells the store what was set. What it has lost is set only where nothing is.
func (s *Sharer) send(settings map[string]string) error {
	for _, target := range slices.Sorted(maps.Keys(settings)) {
		setting := settings[target]
		k := &s.known
		k.Lock()
		unsent := k.unsent[target]
		k.Unlock()
		err := s.call(func(ctx context.Context, store stores.Store) error {
			return store.Set(ctx, s.pool, s.node, target, setting, !unsent)
		})
		if err != nil {
			return err
		}
		k.Lock()
		if k.settings[target] == setting {
			delete(k.unsent, target)
		}
		k.Unlock()
	}
	return nil
}
