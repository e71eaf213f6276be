package safely

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// report is one of a panic.
type report struct {
	place, stack string
	fault        any
}

// reports returns a channel for the reports of a test.
func reports(t *testing.T) <-chan report {
	t.Helper()
	got := make(chan report, 10)
	t.Cleanup(SetReporter(func(place string, fault any, stack []byte) { got <- report{place, string(stack), fault} }))
	return got
}

var errTest = errors.New("test")

func faulty() { panic(errTest) }

func mustReport(t *testing.T, got <-chan report, place string) {
	t.Helper()
	if r := <-got; r.place != place || r.fault != error(errTest) || !strings.Contains(r.stack, "safely.faulty") {
		t.Errorf("reported %+v, want place %q and the stack of who panicked", r, place)
	}
}

func TestEveryWayToRun(t *testing.T) {
	got := reports(t)
	var group sync.WaitGroup
	for way, run := range map[string]func(){
		"here":      func() { Do("here", faulty) },
		"goroutine": func() { go Do("goroutine", faulty) },
		"timer":     func() { time.AfterFunc(0, Func("timer", faulty)) },
		"group":     func() { group.Go(Func("group", faulty)) },
		"callback":  func() { func() { defer Recover("callback"); faulty() }() },
		"recovered": func() { func() { defer func() { Report("recovered", recover()) }(); faulty() }() },
	} {
		t.Run(way, func(t *testing.T) {
			before := Panics()
			run()
			mustReport(t, got, way)
			group.Wait()
			if n := Panics() - before; n != 1 {
				t.Errorf("%d panics are counted", n)
			}
		})
	}
}

func TestNoPanic(t *testing.T) {
	got := reports(t)
	before, undone := Panics(), false
	ran := false
	func() {
		defer Recover("nothing", func() { undone = true })
		Do("nothing", func() { ran = true })
		Reach("nothing")
	}()
	if !ran || undone || Panics() != before || len(got) > 0 {
		t.Errorf("ran %v, undone %v, %d panics, %d reports", ran, undone, Panics()-before, len(got))
	}
}

// TestUndo gives back all that was taken, though giving one thing back fails.
func TestUndo(t *testing.T) {
	got := reports(t)
	var undone []int
	func() {
		defer Recover("undo", func() { undone = append(undone, 1) }, faulty, func() { undone = append(undone, 2) })
		faulty()
	}()
	mustReport(t, got, "undo")
	mustReport(t, got, "undo")
	if !slices.Equal(undone, []int{1, 2}) {
		t.Errorf("undone: %v", undone)
	}
}

// TestReporterThatPanics is no worse than none.
func TestReporterThatPanics(t *testing.T) {
	old := reporter.Load()
	SetReporter(func(string, any, []byte) { panic("reporter") })
	t.Cleanup(func() { reporter.Store(old) })
	before := Panics()
	Do("here", faulty)
	if n := Panics() - before; n != 1 {
		t.Errorf("%d panics are counted", n)
	}
}

func TestInject(t *testing.T) {
	got := reports(t)
	end := Inject(func(place string) {
		if place == "this" {
			faulty()
		}
	})
	Do("here", func() { Reach("that") })
	Do("here", func() { Reach("this") })
	end()
	Do("here", func() { Reach("this") })
	mustReport(t, got, "here")
	if len(got) > 0 {
		t.Errorf("reported %+v", <-got)
	}
}

// BenchmarkCallback is what a callback pays for being safe.
func BenchmarkCallback(b *testing.B) {
	count := 0
	for b.Loop() {
		func() {
			defer Recover("callback", func() { count = 0 })
			Reach("callback")
			count++
		}()
	}
	if count < b.N {
		b.Error(count)
	}
}
